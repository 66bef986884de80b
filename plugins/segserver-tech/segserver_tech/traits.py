"""The traits of the tech strategy: code reads the User-Agent, CEL does the rest."""

from collections.abc import Iterable

from segserver.strategies.api import Trait
from segserver.strategies.cel import OTHER, band, choose, fold, label, labels_of, literal
from segserver_tech.attributes import DEPLOYMENTS
from segserver_tech.settings import TechSettings
from segserver_tech.user_agent import UserAgentReader
from segserver_tech.vocabulary import DEVICE_TYPES, Signal

MACHINES = ("mac", "pc", "neither")

EXAMPLE = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
"""What the code is tried on before it serves."""


def traits(settings: TechSettings) -> list[Trait]:
    """The traits under these settings."""
    return [*_from_user_agent(settings), *_machine(settings), *_software(settings), *_proficiency(settings)]


def _from_user_agent(settings: TechSettings) -> list[Trait]:
    reads, reader = ("user_agent",), UserAgentReader(settings)
    return [
        Trait(
            "ua_device_type",
            "string",
            "Type of device, by the User-Agent",
            reads=reads,
            function=reader.device_type,
            example=(EXAMPLE,),
            values=DEVICE_TYPES,
        ),
        Trait(
            "ua_operating_system",
            "string",
            "Operating system, by the User-Agent",
            reads=reads,
            function=reader.operating_system,
            example=(EXAMPLE,),
        ),
        Trait(
            "ua_operating_system_version",
            "string",
            "Version of the operating system, by the User-Agent",
            reads=reads,
            function=reader.operating_system_version,
            example=(EXAMPLE,),
        ),
        Trait(
            "ua_browser",
            "string",
            "Browser, by the User-Agent",
            reads=reads,
            function=reader.browser,
            example=(EXAMPLE,),
        ),
        Trait(
            "ua_browser_version",
            "string",
            "Version of the browser, by the User-Agent",
            reads=reads,
            function=reader.browser_version,
            example=(EXAMPLE,),
        ),
    ]


def _machine(settings: TechSettings) -> list[Trait]:
    system = "(known(operating_system) ? operating_system : tech.ua_operating_system)"
    browser = "(known(browser) ? browser : tech.ua_browser)"
    not_desktop = 'known(tech.device_type) && tech.device_type != "desktop"'
    machine = choose(
        [
            (not_desktop, literal("neither")),
            (_among("tech.operating_system", settings.mac_systems), literal("mac")),
            (_among("tech.operating_system", settings.pc_systems), literal("pc")),
        ],
        literal("neither"),
    )
    return [
        Trait(
            "device_type",
            "string",
            "Type of device: as stated, else by the User-Agent",
            rule="known(device_type) ? device_type : tech.ua_device_type",
            values=DEVICE_TYPES,
        ),
        Trait(
            "operating_system",
            "string",
            "Operating system: as stated, else by the User-Agent",
            rule=label(system, settings.operating_systems),
            values=(*settings.operating_systems, OTHER),
        ),
        Trait(
            "browser",
            "string",
            "Browser: as stated, else by the User-Agent",
            rule=label(browser, settings.browsers),
            values=(*settings.browsers, OTHER),
        ),
        Trait("mac_or_pc", "string", "Mac or PC", rule=machine, values=MACHINES),
    ]


def _software(settings: TechSettings) -> list[Trait]:
    apps = "size(installed_apps) > 0"
    if settings.own_apps:
        apps = _any("installed_apps", settings.own_apps)
    in_cloud = _any("software_tools", settings.cloud_tools)
    installed = _any("software_tools", settings.installed_tools)
    deployment = choose(
        [
            (f"{in_cloud} && {installed}", literal("both")),
            (in_cloud, literal("cloud")),
            (installed, literal("installed")),
        ],
        literal("neither"),
    )
    return [
        Trait(
            "app_installed",
            "bool",
            "Has our app installed",
            rule=f"known(app_installed) ? app_installed : {apps}",
        ),
        Trait(
            "cloud_or_installed",
            "string",
            "Where the tools in use run",
            rule=f"known(tool_deployment) ? tool_deployment : {deployment}",
            values=DEPLOYMENTS,
        ),
    ]


def _proficiency(settings: TechSettings) -> list[Trait]:
    stated = label("technical_proficiency", {name: (name,) for name in labels_of(settings.proficiency_bands)})
    scored = band("tech.proficiency_score", settings.proficiency_bands, integer=True)
    return [
        Trait("proficiency_score", "int", "Points of technical proficiency", rule=_score(settings.signals)),
        Trait(
            "technical_proficiency",
            "string",
            "Technical proficiency: as stated, else by the score",
            rule=f"known(technical_proficiency) ? {stated} : {scored}",
            values=(*labels_of(settings.proficiency_bands), OTHER),
        ),
    ]


def _score(signals: Iterable[Signal]) -> str:
    """The sum of what applies. With no evidence at all there is no score, rather than a score of zero: the
    last branch is unknown when ``software_tools`` is."""
    evidence = ("tech.operating_system", "tech.browser", "software_tools")
    points = " + ".join(_points(signal) for signal in signals) or "0"
    condition = " || ".join(f"known({name})" for name in evidence)
    return f"({condition}) ? {points} : size(software_tools)"


def _points(signal: Signal) -> str:
    tests = [
        f"known(tech.operating_system) && {_among('tech.operating_system', signal.systems)}",
        f"known(tech.browser) && {_among('tech.browser', signal.browsers)}",
        f"known(software_tools) && {_any('software_tools', signal.tools)}",
    ]
    return f"({' || '.join(tests)} ? {literal(signal.points)} : 0)"


def _among(expression: str, names: Iterable[str]) -> str:
    names = tuple(names)
    return f"{expression} in {literal(names)}" if names else "false"


def _any(expression: str, names: Iterable[str]) -> str:
    """Whether a list of string holds one of ``names``; unknown, also for no names, when the list is."""
    test = _among(fold("name"), names)
    return f"{expression}.exists(name, {test})"
