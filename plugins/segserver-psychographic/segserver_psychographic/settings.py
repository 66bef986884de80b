"""Lists, norms and thresholds of the psychographic strategy, each with its default."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from segserver.strategies.api import Settings
from segserver.strategies.cel import OTHER, Label, Spellings, folded
from segserver_psychographic.attributes import BIG_FIVE

Factor: TypeAlias = Literal["openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism"]

FIXED_TRAITS = frozenset({"interests", "values", "lifestyle", "milieu", "leading_trait"}) | {
    f"{name}_z" for name in BIG_FIVE
}
"""The names that no persona can take."""


class Norm(Settings):
    """Mean and standard deviation of a score in the population that a customer is compared with."""

    mean: float = Field(allow_inf_nan=False)
    sd: float = Field(gt=0, allow_inf_nan=False)


class Milieu(Settings):
    """One milieu of a typology."""

    label: Label
    spellings: tuple[str, ...] = ()
    """Texts of the attribute ``milieu`` that mean it."""
    rule: str = ""
    """CEL over the strategy's attributes and traits, for customers whose milieu nobody has determined; the
    first milieu whose rule holds is taken. Empty: only the attribute can say so."""


class Persona(Settings):
    """A kind of customer, recognized by any one of three signs: what they name, how they live, what they
    are like."""

    title: str = ""
    interests: tuple[Label, ...] = ()
    values: tuple[Label, ...] = ()
    minimum_matches: int = Field(default=2, ge=1)
    """How many of ``interests`` and ``values`` together a customer must name."""
    lifestyles: tuple[Label, ...] = ()
    """Lifestyles that suffice alone."""
    personality: dict[Factor, float] = {}
    """Big Five factor → the least z-score; all of them together suffice alone."""

    @model_validator(mode="after")
    def _can_be_recognized(self) -> Self:
        named = len(set(self.interests)) + len(set(self.values))
        if named and named < self.minimum_matches:
            raise ValueError(f"minimum_matches is {self.minimum_matches}, of {named} interests and values")
        if not (named or self.lifestyles or self.personality):
            raise ValueError("a persona needs interests, values, lifestyles or personality")
        return self


def _all_five(norms: dict[Factor, Norm]) -> dict[Factor, Norm]:
    missing = [name for name in BIG_FIVE if name not in norms]
    if missing:
        raise ValueError(f"norms are missing for {', '.join(missing)}")
    return norms


def _typology(milieus: tuple[Milieu, ...]) -> tuple[Milieu, ...]:
    owner: dict[str, str] = {}
    for milieu in milieus:
        for text in {folded(spelling) for spelling in (milieu.label, *milieu.spellings)}:
            if text == OTHER or owner.setdefault(text, milieu.label) != milieu.label:
                raise ValueError(f"{text!r} can't mean {milieu.label!r}: it is taken")
    if len({milieu.label for milieu in milieus}) < len(milieus):
        raise ValueError("two milieus have one label")
    return milieus


def trait_name(persona: str) -> str:
    """The trait of a persona: ``eco-conscious`` → ``eco_conscious``."""
    return persona.replace("-", "_")


def _named_apart(personas: dict[Label, Persona]) -> dict[Label, Persona]:
    for name in personas:
        if trait_name(name) in FIXED_TRAITS or name[0].isdigit():
            raise ValueError(f"a persona can't be called {name!r}")
    return personas


class PsychographicSettings(Settings):
    """Settings of the psychographic strategy."""

    sensitive_topics: tuple[str, ...] = (
        *("politics", "political parties", "religion", "faith", "church", "trade unions"),
        *("health", "illness", "medicine", "mental health", "sexuality", "dating", "ethnicity"),
    )
    """Texts dropped from interests and values: they hint at a special category (GDPR art. 9). What a
    customer's belief or health is wanted for belongs in an attribute of category ``special``, with its own
    purposes."""

    interests: Spellings = {
        "adventure": ("adventure sports", "extreme sports", "climbing", "skydiving", "diving"),
        "art": ("museums", "fine art", "painting", "theatre", "theater"),
        "automotive": ("cars", "motorcycles"),
        "books": ("reading", "literature"),
        "confectionery": ("sweets", "chocolate", "baking"),
        "fair-trade": ("fairtrade", "ethical consumption"),
        "family": ("parenting", "children"),
        "fashion": ("style", "clothing"),
        "film": ("movies", "cinema", "series"),
        "finance": ("investing", "personal finance"),
        "fish": ("seafood", "fishing"),
        "food": ("cooking", "gourmet", "restaurants"),
        "fresh-produce": ("fruit", "vegetables"),
        "gaming": ("video games", "games"),
        "home-and-garden": ("home", "garden", "gardening", "diy", "interior design"),
        "jewellery": ("jewelry", "gold", "watches"),
        "meat": ("barbecue", "grilling"),
        "music": ("concerts",),
        "nature": ("wildlife", "birds", "conservation"),
        "organic-food": ("organic", "organic food"),
        "outdoors": ("hiking", "camping", "trekking"),
        "pets": ("dogs", "cats", "animals"),
        "science": ("astronomy",),
        "sports": ("sport", "fitness", "football", "running", "cycling"),
        "sustainability": ("environment", "ecology", "climate", "zero waste", "renewable energy"),
        "technology": ("gadgets", "computers", "electronics"),
        "travel": ("travelling", "traveling", "backpacking"),
        "volunteering": ("charity", "community service", "donating"),
        "wine": ("wines", "wine tasting"),
    }
    """Interest → the texts that mean it. Other texts stay as they are."""

    values: Spellings = {
        "self-direction": ("freedom", "independence", "creativity", "curiosity"),
        "stimulation": ("excitement", "novelty", "daring"),
        "hedonism": ("pleasure", "fun", "enjoyment"),
        "achievement": ("success", "ambition", "performance"),
        "power": ("status", "wealth", "influence"),
        "security": ("safety", "order", "stability"),
        "conformity": ("politeness", "discipline", "obedience"),
        "tradition": ("customs", "modesty", "heritage"),
        "benevolence": ("helpfulness", "loyalty", "honesty", "caring"),
        "universalism": ("equality", "justice", "fairness", "tolerance", "protecting the environment"),
    }
    """Value → the texts that mean it: the ten basic values of S. H. Schwartz, "Universals in the content
    and structure of values", 1992. Other texts stay as they are."""

    lifestyles: Spellings = {
        "active": ("sporty",),
        "career-focused": ("career", "workaholic"),
        "digital-nomad": ("nomadic", "remote"),
        "family-centred": ("family", "family-centered"),
        "homebody": ("domestic",),
        "luxury": ("affluent", "premium"),
        "minimalist": ("frugal", "simple living"),
        "sustainable": ("green", "lohas", "zero waste"),
        "urban": ("city",),
        "rural": ("country",),
    }
    """Lifestyle → the texts that mean it. Any other text becomes ``other``."""

    norms: Annotated[dict[Factor, Norm], AfterValidator(_all_five)] = {
        "openness": Norm(mean=4.639, sd=0.663),
        "conscientiousness": Norm(mean=3.978, sd=0.814),
        "extraversion": Norm(mean=3.474, sd=0.951),
        "agreeableness": Norm(mean=4.251, sd=0.792),
        "neuroticism": Norm(mean=3.737, sd=1.021),
    }
    """Norms for scores that are means of items from 1 to 6. The defaults are the mean and the sample
    standard deviation of the 4,000 answers to the SAPA Personality Inventory that the R package psychTools
    publishes (``spi``), 14 items a factor, reverse-keyed items turned round. Volunteers on a web site are
    not your population: compute your own."""

    leading_minimum_z: float = Field(default=0.5, allow_inf_nan=False)
    """The least z-score that makes the highest factor the leading one; below it a personality is
    ``balanced``."""

    milieus: Annotated[tuple[Milieu, ...], AfterValidator(_typology)] = (
        Milieu(
            label="established",
            rule="education_level >= 5"
            ' && psychographic.values.exists(v, v in ["conformity", "security", "tradition"])',
        ),
        Milieu(
            label="progressive",
            rule="education_level >= 5"
            ' && psychographic.values.exists(v, v in ["self-direction", "stimulation", "universalism"])',
        ),
        Milieu(
            label="traditional",
            rule='psychographic.values.exists(v, v in ["conformity", "security", "tradition"])',
        ),
        Milieu(
            label="experience-seeking",
            rule='psychographic.values.exists(v, v in ["hedonism", "self-direction", "stimulation"])',
        ),
        Milieu(label="mainstream", rule="true"),
    )
    """A typology on two axes: education (P. Bourdieu's cultural capital, "Distinction", 1979) and values
    between conservation and openness to change (Schwartz, 1992). Market research sells finer ones: put
    their labels here, and what the researcher determined into the attribute ``milieu``."""

    personas: Annotated[dict[Label, Persona], AfterValidator(_named_apart)] = {
        "eco-conscious": Persona(
            title="Eco-conscious",
            interests=("nature", "organic-food", "sustainability"),
            values=("universalism",),
            lifestyles=("sustainable",),
        ),
        "socially-responsible": Persona(
            title="Socially responsible",
            interests=("fair-trade", "volunteering"),
            values=("benevolence", "universalism"),
        ),
        "adventure-seeker": Persona(
            title="Adventure seeker",
            interests=("adventure", "outdoors", "travel"),
            values=("stimulation",),
            personality={"openness": 0.5, "extraversion": 1.0},
        ),
    }
    """Persona → its signs. Each one becomes a trait (``psychographic.eco_conscious``) and a segment."""
