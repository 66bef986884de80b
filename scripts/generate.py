"""Generates the Python modules of protos/; with --check, only says whether the committed ones are stale."""

from __future__ import annotations

import argparse
import filecmp
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"


def generate(target: Path) -> list[Path]:
    """Writes the modules, with their type stubs, below ``target``; returns their paths relative to it."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    includes = [str(PROTOS), str(resources.files("grpc_tools") / "_proto")]
    outputs = [f"--{kind}_out={target}" for kind in ("python", "pyi", "grpc_python")]
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        *(f"-I{path}" for path in includes),
        *outputs,
        *sources,
    ]
    subprocess.run(command, check=True)
    for path in target.rglob("*_pb2_grpc.py"):
        if "def __init__(self, channel)" not in path.read_text():
            path.unlink()  # a file without a service needs no stubs
    return sorted(path.relative_to(target) for path in target.rglob("*_pb2*"))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 when a committed file is stale"
    )
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        wanted = generate(fresh)
        present = sorted(
            path.relative_to(ROOT)
            for path in (ROOT / "segserver").rglob("*_pb2*")
            if "__pycache__" not in path.parts
        )
        stale = [
            path
            for path in sorted({*wanted, *present})
            if path not in wanted
            or not (ROOT / path).exists()
            or not filecmp.cmp(fresh / path, ROOT / path, shallow=False)
        ]
        if check:
            for path in stale:
                print(f"stale: {path}; run 'make protos'")
            return 1 if stale else 0
        for path in stale:
            if path in wanted:
                (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
                (ROOT / path).write_bytes((fresh / path).read_bytes())
            else:
                (ROOT / path).unlink()
            print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
