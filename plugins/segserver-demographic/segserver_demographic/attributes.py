"""What the demographic strategy reads about a subject."""

from segserver.model import Category
from segserver.strategies.api import Attribute

ATTRIBUTES = (
    Attribute("birth_date", "timestamp", Category.DEMOGRAPHIC, "Date of birth, as midnight UTC of the day"),
    Attribute("gender", "string", Category.DEMOGRAPHIC, "Gender, as the customer stated it"),
    Attribute("income", "double", Category.FINANCIAL, "Yearly household income, in the settings' currency"),
    Attribute(
        "education_level",
        "int",
        Category.DEMOGRAPHIC,
        "Highest education completed: ISCED 2011 level, 0 to 8",
    ),
    Attribute("education", "string", Category.DEMOGRAPHIC, "Highest education completed, as a label"),
    Attribute(
        "occupation_code", "string", Category.DEMOGRAPHIC, "Occupation: ISCO-08 code of one to four digits"
    ),
    Attribute(
        "occupation_group", "string", Category.DEMOGRAPHIC, "Occupation: name of an ISCO-08 major group"
    ),
    Attribute("marital_status", "string", Category.DEMOGRAPHIC, "Marital status, as the customer stated it"),
    Attribute(
        "children_at_home", "int", Category.DEMOGRAPHIC, "Number of children who live in the household"
    ),
    Attribute("religion", "string", Category.SPECIAL, "Religion or belief, as the customer stated it"),
)
