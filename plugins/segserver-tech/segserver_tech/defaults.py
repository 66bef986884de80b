"""The default lists of the tech strategy."""

from segserver_tech.vocabulary import DeviceRule, Signal, Token

_BOT_TOKENS = (
    *(
        "bot/",
        "bot ",
        "bot;",
        "bot)",
        "bot+",
        "bot-",
        "robot",
        "crawl",
        "spider",
        "slurp",
        "scooter",
        "larbin",
        "nutch",
    ),
    *(
        "googlebot",
        "mediapartners-google",
        "feedfetcher",
        "lighthouse",
        "headless",
        "bingpreview",
        "screaming frog",
    ),
    *(
        "curl/",
        "wget",
        "libwww-perl",
        "lwp-",
        "lwp::",
        "python-",
        "java/",
        "java(tm)",
        "java1.",
        "jakarta",
        "httpclient",
    ),
    *("go-http-client", "okhttp", "axios/", "node-fetch", "php/", "libfetch", "winhttp", "grub"),
    *("linkman", "link checker", "linkchecker", "bookmarkchecker", "webzip", "ia_archiver", "ask jeeves"),
)

DEVICE_RULES = (
    DeviceRule(device_type="bot", tokens=_BOT_TOKENS, without=("cubot",)),
    # On Windows, toolbars and providers look like the search engines that they are named after.
    DeviceRule(device_type="bot", devices=("Spider",), without=("windows nt", "windows 98", "windows 95")),
    DeviceRule(
        device_type="console",
        tokens=(
            *(
                "playstation",
                "; xbox;",
                "xbox one",
                "xbox-os",
                "xbox 64",
                "nintendo",
                "dreamcast",
                "gameboy",
                "n-gage",
            ),
        ),
    ),
    DeviceRule(
        # A desktop Windows says so; names of phones and tablets beside it are add-ons and advertisements.
        device_type="desktop",
        tokens=("windows nt", "windows 98", "windows 95", "win 9x", "winnt", "win98", "win95"),
        without=("windows phone", "windows ce", "iemobile", "palmsource", "symbian", "midp", "up.browser"),
    ),
    DeviceRule(
        device_type="tv",
        systems=("ATV OS X", "tvOS", "FireHbbTV", "Chromecast Android", "Chromecast Linux", "WebTV"),
    ),
    DeviceRule(
        device_type="tv",
        tokens=(
            *("smart-tv", "smarttv", "hbbtv", "googletv", "google tv", "android tv", "appletv", "apple tv"),
            *(
                "netcast",
                "bravia",
                "roku/",
                "crkey",
                "webtv",
                "viera",
                "aftb",
                "aftt",
                "aftm",
                "afts",
                "web0s",
            ),
            *("liberate dtv",),
        ),
    ),
    DeviceRule(device_type="tablet", tokens=("ipad", "kindle", "playbook", "silk/", "tablet", "galaxy tab")),
    DeviceRule(device_type="tablet", systems=("Android",), without=("mobile",)),
    DeviceRule(
        device_type="phone",
        systems=(
            *(
                "iOS",
                "Android",
                "Windows Phone",
                "Windows Mobile",
                "BlackBerry OS",
                "Symbian OS",
                "Symbian^3",
            ),
            *("Symbian^3 Anna", "Symbian^3 Belle", "Firefox OS", "KaiOS", "Brew MP", "Nokia Series 40"),
            *("Nokia Series 30 Plus", "PalmOS"),
        ),
    ),
    DeviceRule(
        device_type="phone",
        devices=("Generic Feature Phone", "Generic Smartphone"),
        without=("ibrowse", "avant browser"),
    ),
    DeviceRule(
        device_type="phone",
        tokens=(
            *("iphone", "ipod", "mobile", "phone", "midp", "cldc", "up.browser", "up.link", "j2me", "docomo"),
            *("nokia", "ericsson", "blackberry", "windows ce", "symbian", "netfront", "acs-nf", "ddipocket"),
            *("kddi", "avantgo"),
        ),
    ),
    DeviceRule(
        device_type="desktop",
        systems=(
            *(
                "Windows",
                "Mac OS X",
                "Mac OS",
                "Linux",
                "Ubuntu",
                "Debian",
                "Fedora",
                "Red Hat",
                "Gentoo",
                "SUSE",
            ),
            *(
                "Slackware",
                "CentOS",
                "Mandriva",
                "Arch Linux",
                "FreeBSD",
                "OpenBSD",
                "NetBSD",
                "Solaris",
                "Chrome OS",
            ),
            *("AmigaOS", "OS/2", "BeOS", "IRIX", "HP-UX", "AIX", "OSF1", "RISC OS", "Unix"),
        ),
    ),
)

SYSTEM_TOKENS = (
    Token(text="windows ce", name="Windows CE", first=True),
    # Add-ons and advertisements beside it are taken for other systems.
    *(
        Token(text=text, name="Windows", without=("windows phone", "symbian"), first=True)
        for text in ("windows nt", "windows 98", "windows 95")
    ),
    *(
        Token(text=text, name=name)
        for text, name in (
            *(("symbian", "Symbian OS"), ("palmos", "PalmOS"), ("palmsource", "PalmOS")),
            *(("amigaos", "AmigaOS"), ("amiga os", "AmigaOS"), ("os/2", "OS/2"), ("beos", "BeOS")),
            *(
                ("risc os", "RISC OS"),
                ("irix", "IRIX"),
                ("hp-ux", "HP-UX"),
                ("aix ", "AIX"),
                ("osf1", "OSF1"),
            ),
            *(("sunos", "Solaris"), ("mac_p", "Mac OS"), ("mac os", "Mac OS X"), ("macosx", "Mac OS X")),
            *(("macintosh", "Mac OS"), ("lindows", "Linux"), ("linux", "Linux"), ("windows", "Windows")),
            *(("win32", "Windows"), ("win9", "Windows"), ("winnt", "Windows"), ("unix", "Unix")),
        )
    ),
)

BROWSER_TOKENS = (
    *(
        Token(text=text, name=name)
        for text, name in (
            *(
                ("w3m", "w3m"),
                ("lynx", "Lynx"),
                ("links (", "Links"),
                ("links/", "Links"),
                ("konqueror", "Konqueror"),
            ),
            *(
                ("galeon", "Galeon"),
                ("ibrowse", "IBrowse"),
                ("aweb", "AWeb"),
                ("amigavoyager", "AmigaVoyager"),
            ),
            *(("mosaic", "NCSA Mosaic"), ("dillo", "Dillo"), ("netpositive", "NetPositive")),
            *(("offbyone", "OffByOne"), ("opera", "Opera"), ("firefox", "Firefox"), ("firebird", "Firefox")),
            *(("netscape", "Netscape"), ("msie", "IE"), ("safari", "Safari"), ("gecko", "Mozilla")),
        )
    ),
    # Up to 4.8, Netscape called itself by its code name alone; what imitated it added "compatible".
    *(Token(text=f"mozilla/{major}.", name="Netscape", without=("compatible",)) for major in (1, 2, 3, 4)),
)

SYSTEMS: dict[str, tuple[str, ...]] = {
    "windows": ("win", "windows nt", "windows 10", "windows 11", "microsoft windows"),
    "macos": ("mac", "mac os", "mac os x", "os x"),
    "linux": (
        *(
            "ubuntu",
            "debian",
            "fedora",
            "red hat",
            "gentoo",
            "slackware",
            "suse",
            "opensuse",
            "mandriva",
            "centos",
        ),
        *("arch linux", "linux mint", "gnu/linux", "kubuntu"),
    ),
    "chrome-os": ("chrome os", "chromeos"),
    "android": (),
    "ios": ("iphone os", "ipados"),
    "windows-phone": ("windows phone", "windows mobile", "windows ce"),
    "blackberry": ("blackberry os", "blackberry tablet os"),
    "symbian": ("symbian os", "symbian^3", "symbian^3 anna", "symbian^3 belle"),
    "kaios": ("firefox os",),
    "bsd": ("freebsd", "openbsd", "netbsd", "dragonfly"),
    "unix": ("solaris", "sunos", "irix", "irix64", "hp-ux", "aix", "osf1"),
    "tv-os": ("tvos", "atv os x", "webos", "web0s", "webtv", "firehbbtv", "chromecast linux"),
}

BROWSERS: dict[str, tuple[str, ...]] = {
    "chrome": ("google chrome", "chrome mobile", "chrome mobile ios", "chrome mobile webview", "chromium"),
    "safari": ("mobile safari", "mobile safari ui/wkwebview"),
    "edge": ("microsoft edge", "edge mobile"),
    "firefox": ("mozilla firefox", "firefox mobile", "firefox ios", "phoenix", "firebird"),
    "opera": ("opera mobile", "opera mini", "opera touch", "opera gx"),
    "samsung-internet": ("samsung internet",),
    "internet-explorer": ("ie", "msie", "internet explorer", "ie mobile", "ie large screen"),
    "netscape": (),
    "mozilla": (),
    "konqueror": (),
    "text-browser": ("lynx", "links", "elinks", "w3m"),
}

SIGNALS = (
    Signal(points=2, systems=("linux", "bsd", "unix")),
    Signal(points=2, browsers=("text-browser",)),
    Signal(
        points=2,
        tools=("git", "docker", "visual studio code", "intellij idea", "jupyter", "terraform", "kubernetes"),
    ),
    Signal(
        points=1, tools=("sql", "power bi", "tableau", "zapier", "excel macros", "github", "gitlab", "jira")
    ),
)
