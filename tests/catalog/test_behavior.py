"""Events and computed attributes in a catalog."""

from __future__ import annotations


def test_a_property_that_no_condition_could_tell_is_a_problem_where_it_stands(problems):
    found = problems(
        """
        events:
          order:
            category: behavioral
            properties:
              time: {type: double, category: behavioral}
              items: {type: int, category: behavioral, values: [many]}
              channel: {type: string, category: behavioral, values: [web]}
        """
    )
    assert [place.split(" ")[1] for place, _ in found] == [
        "events.order.properties.time",
        "events.order.properties.items",
    ]
