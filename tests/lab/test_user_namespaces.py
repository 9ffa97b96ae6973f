"""Where user namespaces are switched off, root does without, and an ordinary user is told what to do.

They are switched off inside a user namespace of the test's own, whose limit is set to none: the machine's settings stay.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from leftovers import assert_gone

_UP_WITHOUT = """
import os, sys
from pathlib import Path
from tortie.lab import namespaces

inside = sys.argv[1]
uid, gid = os.geteuid(), os.getegid()
namespaces.unshare(namespaces.CLONE_NEWUSER)
Path("/proc/self/setgroups").write_text("deny")
Path("/proc/self/uid_map").write_text(f"{inside} {uid} 1")
Path("/proc/self/gid_map").write_text(f"{inside} {gid} 1")
Path("/proc/sys/user/max_user_namespaces").write_text("0")
script = "from tortie.lab.client import Lab\\nimport sys\\nwith Lab.launch(sys.argv[1], hosts=1) as lab: print(lab.status())"
os.execv(sys.executable, [sys.executable, "-c", script, sys.argv[2]])
"""


def up_without_user_namespaces(uid: int, name: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-c", _UP_WITHOUT, str(uid), name]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def test_an_ordinary_user_is_told_which_setting_is_in_the_way(name: str) -> None:
    done = up_without_user_namespaces(1000, name)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "UserNamespacesOffError" in last
    assert "run it as root, or allow them: sysctl -w user.max_user_namespaces=15000" in last
    assert_gone(name, set())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounting in a namespace that is not one's own")
def test_root_does_without_one(name: str) -> None:
    done = up_without_user_namespaces(0, name)
    assert done.returncode == 0, done.stderr
    assert "'agent': 'running'" in done.stdout
    assert_gone(name, set())
