"""What the needs strategy reads about a subject."""

from segserver.model import Category
from segserver.strategies.api import Attribute

ATTRIBUTES = (
    Attribute("pain_points", "list(string)", Category.PSYCHOGRAPHIC, "What the customer struggles with"),
    Attribute("benefits_sought", "list(string)", Category.PSYCHOGRAPHIC, "What the customer buys for"),
    Attribute("main_challenge", "string", Category.PSYCHOGRAPHIC, "The customer's most pressing challenge"),
    Attribute("industry_code", "string", Category.DEMOGRAPHIC, "The employer's industry: ISIC Rev. 4 code"),
    Attribute("industry", "string", Category.DEMOGRAPHIC, "The employer's industry, as a label"),
    Attribute(
        "job_role", "string", Category.DEMOGRAPHIC, "What the customer does at the employer, as a label"
    ),
)
