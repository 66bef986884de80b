"""Explanations as messages."""

from __future__ import annotations

from segserver.engine.explain import Explanation, Node
from segserver.rpc import convert
from segserver.v1 import segmentation_service_pb2 as pb

_TRUTHS = {True: pb.TRUTH_TRUE, False: pb.TRUTH_FALSE, None: pb.TRUTH_UNKNOWN}


def explain_response(explanation: Explanation, *, show_values: bool) -> pb.ExplainSegmentResponse:
    """The explanation as a message; without ``show_values``, no value of any attribute is in it."""
    return pb.ExplainSegmentResponse(
        evaluation_id=explanation.evaluation_id,
        evaluate_time=convert.timestamp(explanation.time_us),
        catalog_digest=explanation.catalog_digest,
        subject_token=explanation.subject_token,
        result=convert.segment_result(explanation.result),
        rule=explanation.rule,
        tree=_node(explanation.tree, show_values),
        smallest_change=[
            pb.Condition(
                expression=condition.expression,
                truth=_TRUTHS[condition.truth],
                needed=_TRUTHS[condition.needed],
            )
            for condition in explanation.smallest_change
        ],
    )


def _node(node: Node, show_values: bool) -> pb.ExplanationNode:
    return pb.ExplanationNode(
        expression=node.expression,
        truth=_TRUTHS[node.truth] if node.is_condition else pb.TRUTH_UNSPECIFIED,
        value=node.value if show_values else "",
        unknown_attributes=node.unknown_attributes,
        line=node.line,
        column=node.column,
        definition_of=node.definition_of,
        children=[_node(child, show_values) for child in node.children],
    )
