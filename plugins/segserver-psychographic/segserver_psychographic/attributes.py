"""What the psychographic strategy reads about a subject."""

from segserver.model import Category
from segserver.strategies.api import Attribute

BIG_FIVE = ("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism")
"""The five factors of personality. Source: L. R. Goldberg, "The structure of phenotypic personality
traits", 1993."""

ATTRIBUTES = (
    Attribute("interests", "list(string)", Category.PSYCHOGRAPHIC, "What the customer is interested in"),
    Attribute("personal_values", "list(string)", Category.PSYCHOGRAPHIC, "What the customer holds dear"),
    Attribute("lifestyle", "string", Category.PSYCHOGRAPHIC, "How the customer lives, as a label"),
    Attribute("milieu", "string", Category.PSYCHOGRAPHIC, "Social milieu, where somebody has determined it"),
    Attribute(
        "education_level",
        "int",
        Category.DEMOGRAPHIC,
        "Highest education completed: ISCED 2011 level, 0 to 8",
    ),
    *(
        Attribute(
            name, "double", Category.PSYCHOGRAPHIC, f"Big Five score: {name}, on the questionnaire's scale"
        )
        for name in BIG_FIVE
    ),
)
