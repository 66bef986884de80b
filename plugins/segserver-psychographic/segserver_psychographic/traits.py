"""The psychographic traits, all of them CEL written from the settings."""

from __future__ import annotations

from segserver.strategies.api import Trait
from segserver.strategies.cel import OTHER, at_least, choose, folded, label, labels_in, literal
from segserver_psychographic.attributes import BIG_FIVE
from segserver_psychographic.settings import Milieu, Persona, PsychographicSettings, trait_name

BALANCED = "balanced"


def traits(settings: PsychographicSettings) -> list[Trait]:
    """The traits under these settings."""
    dropped = settings.sensitive_topics
    return [
        Trait(
            "interests",
            "list(string)",
            "Interests, by the list's names",
            rule=labels_in("interests", settings.interests, without=dropped),
        ),
        Trait(
            "values",
            "list(string)",
            "Values, by the list's names",
            rule=labels_in("personal_values", settings.values, without=dropped),
        ),
        Trait(
            "lifestyle",
            "string",
            "Lifestyle",
            rule=label("lifestyle", settings.lifestyles),
            values=(*settings.lifestyles, OTHER),
        ),
        *(
            Trait(
                f"{name}_z",
                "double",
                f"{name.capitalize()}: standard deviations above the population's mean",
                rule=f"({name} - {literal(norm.mean)}) / {literal(norm.sd)}",
            )
            for name, norm in settings.norms.items()
        ),
        Trait(
            "leading_trait",
            "string",
            "The Big Five factor that stands out most",
            rule=_leading_trait(settings.leading_minimum_z),
            values=(*BIG_FIVE, BALANCED),
        ),
        Trait(
            "milieu",
            "string",
            "Social milieu",
            rule=_milieu(settings.milieus),
            values=(*(milieu.label for milieu in settings.milieus), OTHER),
        ),
        *(
            Trait(trait_name(name), "bool", persona.title or name, rule=_persona(persona))
            for name, persona in settings.personas.items()
        ),
    ]


def _leading_trait(minimum_z: float) -> str:
    """The factor with the highest z-score, the first of them in a tie, if that is high enough."""
    cases = []
    for name in BIG_FIVE:
        own = f"psychographic.{name}_z"
        highest = " && ".join(f"{own} >= psychographic.{other}_z" for other in BIG_FIVE if other != name)
        cases.append((f"({own} >= {literal(minimum_z)} && {highest})", literal(name)))
    return choose(cases, literal(BALANCED))


def _milieu(milieus: tuple[Milieu, ...]) -> str:
    table = {milieu.label: [folded(text) for text in (milieu.label, *milieu.spellings)] for milieu in milieus}
    by_rule = ((f"({milieu.rule})", literal(milieu.label)) for milieu in milieus if milieu.rule)
    return f"known(milieu) ? {label('milieu', table)} : {choose(by_rule, literal(OTHER))}"


def _persona(persona: Persona) -> str:
    signs = []
    if persona.interests or persona.values:
        named = [("psychographic.interests", persona.interests), ("psychographic.values", persona.values)]
        signs.append(at_least(persona.minimum_matches, named))
    if persona.lifestyles:
        signs.append(f"psychographic.lifestyle in {literal(list(persona.lifestyles))}")
    if persona.personality:
        scores = (f"psychographic.{name}_z >= {literal(float(z))}" for name, z in persona.personality.items())
        signs.append(f"({' && '.join(scores)})")
    return " || ".join(signs)
