"""The classifications of official statistics that the traits speak in. They are fixed by their publishers."""

ISCED_2011 = (
    "early-childhood",
    "primary",
    "lower-secondary",
    "upper-secondary",
    "post-secondary-non-tertiary",
    "short-cycle-tertiary",
    "bachelor",
    "master",
    "doctoral",
)
"""Level 0 to 8 of education, by position. Source: UNESCO Institute for Statistics, International Standard
Classification of Education 2011.
As an attainment, level 0 is less than primary education."""

ISCO_08 = {
    "1": "managers",
    "2": "professionals",
    "3": "technicians",
    "4": "clerical",
    "5": "services-and-sales",
    "6": "skilled-agricultural",
    "7": "craft-and-trades",
    "8": "machine-operators",
    "9": "elementary",
    "0": "armed-forces",
}
"""First digit of an occupation code → major group. Source: International Labour Organization, International
Standard Classification of Occupations 2008. A code is text: those of the armed
forces begin with 0."""
