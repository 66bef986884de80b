"""What the geographic strategy reads about a subject."""

from segserver.model import Category
from segserver.strategies.api import Attribute

_LOCATION = Category.LOCATION

ATTRIBUTES = (
    Attribute("country", "string", _LOCATION, "Country: a code of ISO 3166-1, or an English name"),
    Attribute(
        "subdivision", "string", _LOCATION, "Subdivision: a code of ISO 3166-2, or a name in the country"
    ),
    Attribute("city", "string", _LOCATION, "City"),
    Attribute(
        "city_population", "int", _LOCATION, "Inhabitants of the city, where GeoNames is not to be asked"
    ),
    Attribute("latitude", "double", _LOCATION, "Latitude, degrees north (WGS 84)"),
    Attribute("longitude", "double", _LOCATION, "Longitude, degrees east (WGS 84)"),
    # A census asks people for their language: it describes the person, whatever the device or place.
    Attribute("preferred_language", "string", Category.DEMOGRAPHIC, "Preferred language: a BCP 47 tag"),
)
