"""The roles that docs/howto/datastore.md recommends, given to an etcd as the page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tortie.testing.etcd import EtcdCluster

PAGE = Path(__file__).parents[1] / "docs" / "howto" / "datastore.md"


def give_roles(cluster: EtcdCluster, password: str) -> None:
    """Run the page's commands on *cluster*, as they stand but for *password*, which ``host1`` and ``admin`` get; root's is root."""
    cluster.ctl("user", "add", "root:root")
    cluster.ctl("user", "grant-role", "root", "root")
    script = "set -e\n" + "\n".join(re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    script = re.sub(r'user add "?(\$host|admin)"? --no-password', rf'user add "\1:{password}"', script)
    subprocess.run(["bash", "-c", script], check=True, env=cluster.environment(), capture_output=True)
