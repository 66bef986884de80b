"""Strategies that misbehave: the body of a function of ``text``, by name. Each does so for the text ``now``
alone, and answers ``yes`` to any other."""

from __future__ import annotations

import textwrap

SECRET = "the-secret-of-the-server"

_WHEN = {
    "raises": "raise ValueError(text)",
    "exits": "sys.exit(3)",
    "hangs": "while True: pass",
    "sleeps": "time.sleep(3600)",
    "ends": "os._exit(3)",
    "segfaults": "import ctypes; ctypes.string_at(0)",
    "forks": "os.fork(); return 'forked'",
    "spawns": "import subprocess; return subprocess.run(['true']).args[0]",
    "kills": "os.kill(os.getppid(), 9)",
    "connects": "import socket; return socket.socket().getsockname()[0]",
    "allocates": "kept.append(bytearray(1 << 40))",
    "wrong_type": "return 7",
    "wrong_value": "return 'no' * 40_000",
    "reads_parent": "return open(f'/proc/{os.getppid()}/environ').read()",
    "reads_parent_memory": "return open(f'/proc/{os.getppid()}/maps').read()[:100]",
    "reads_own_environment": "return repr(dict(os.environ))",
    "writes": "open('/tmp/segserver-hostile', 'w').write(text)",
    "prints": "print(text); sys.stderr.write(text); os.write(1, text.encode()); return 'printed'",
    "names_an_exception": "raise type(text, (Exception,), {})",
    "says_what_nobody_asked": "[os.write(fd, b'x' * 64) for fd in range(3, 4_096) if alive(fd)]",
    "answers_another_question": """
        import struct
        forged = struct.pack('>IQ', 3, 1) + b'abc'
        [os.write(fd, forged) for fd in range(3, 4_096) if alive(fd)]
    """,
    "promises_gigabytes": """
        import struct
        [os.write(fd, struct.pack('>IQ', 2**32 - 1, 3)) for fd in range(3, 4_096) if alive(fd)]
    """,
}

NAMES = tuple(_WHEN)

HELP = """
kept = []

def alive(fd):
    import stat
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False
"""


def source(*names: str) -> str:
    """A plugin with one strategy ``hostile`` that has a trait of each name, and a segment for each."""
    functions = "\n".join(_function(name) for name in names)
    return (
        HELP
        + functions
        + f"""
@hookimpl
def segserver_strategies():
    yield Strategy(
        name="hostile", version="1.0.0",
        attributes=[Attribute("text", "string", category="behavioral")],
        traits=[
            Trait(name, "string", reads=["text"], function=globals()[name], example=["example"])
            for name in {names!r}
        ],
        segments=[
            Segment("hostile/" + name.replace("_", "-"), rule=f'hostile.{{name}} == "yes"')
            for name in {names!r}
        ],
    )
"""
    )


def _function(name: str) -> str:
    body = textwrap.indent(textwrap.dedent(_WHEN[name]), " " * 8)
    return f"def {name}(text):\n    if text == 'now':\n{body}\n    return 'yes'\n"
