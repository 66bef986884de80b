"""Whether the codes in the settings exist; asked only about settings that somebody changed."""

from segserver.errors import InvalidInput
from segserver_geographic import countries, subdivisions
from segserver_geographic.settings import GeographicSettings


def check(settings: GeographicSettings) -> None:
    """Raises :class:`InvalidInput` that names the codes which ISO 3166 does not assign.

    The defaults are vouched for by a test, so a start with them reads no reference data.
    """
    if settings == GeographicSettings():
        return
    unknown = [code for code in sorted(settings.country_codes()) if not countries.exists(code)]
    unknown += [
        code
        for market in settings.markets
        for code in market.subdivisions
        if subdivisions.from_code(code) is None
    ]
    if unknown:
        raise InvalidInput(f"ISO 3166 assigns no code {', '.join(unknown)}")
