from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import tortie

SOURCES = Path(tortie.__file__).parents[1]
FOLDER = Path("tortie/datastore/etcd")


def test_the_generated_code_is_of_the_declaration_beside_it(tmp_path: Path) -> None:
    """Else: scripts/proto."""
    command = ["-m", "grpc_tools.protoc", "-I", str(SOURCES), f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([sys.executable, *command, str(SOURCES / FOLDER / "rpc.proto")], check=True)
    for name in ("rpc_pb2.py", "rpc_pb2.pyi"):
        assert (tmp_path / FOLDER / name).read_text() == (SOURCES / FOLDER / name).read_text()
