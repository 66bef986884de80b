"""What the tech strategy reads about a subject."""

from segserver.model import Category
from segserver.strategies.api import Attribute
from segserver_tech.vocabulary import DEVICE_TYPES

DEPLOYMENTS = ("cloud", "installed", "both", "neither")
"""Where the tools that a customer works with run."""

_TECHNICAL, _BEHAVIORAL, _PSYCHOGRAPHIC = Category.TECHNICAL, Category.BEHAVIORAL, Category.PSYCHOGRAPHIC

ATTRIBUTES = (
    Attribute("user_agent", "string", _TECHNICAL, "User-Agent header of the last visit"),
    Attribute("device_type", "string", _TECHNICAL, "Type of the main device", values=DEVICE_TYPES),
    Attribute("operating_system", "string", _TECHNICAL, "Operating system of the main device"),
    Attribute("browser", "string", _TECHNICAL, "Browser of the main device"),
    # The apps and tools on a machine tell what its owner does with it, not what the machine is.
    Attribute("app_installed", "bool", _BEHAVIORAL, "Has our app installed"),
    Attribute("installed_apps", "list(string)", _BEHAVIORAL, "Our apps that are installed, by name"),
    Attribute("software_tools", "list(string)", _BEHAVIORAL, "Software tools in use, by name"),
    Attribute("tool_deployment", "string", _BEHAVIORAL, "Where the tools in use run", values=DEPLOYMENTS),
    # A skill is a property of the person.
    Attribute("technical_proficiency", "string", _PSYCHOGRAPHIC, "Technical proficiency, as stated"),
)
