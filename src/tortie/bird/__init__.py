"""BIRD as a running program: its control socket, its configuration file, its life.

``daemon`` decides whether BIRD runs and with what configuration; ``control`` talks to it. What the configuration says and
how replies read is ``tortie.routing``'s business.
"""

from tortie.bird.control import (
    CONTROL_PATH,
    BirdControl,
    BirdError,
    BirdRefusedError,
    BirdTimeoutError,
    BirdUnavailableError,
)
from tortie.bird.daemon import CONFIG_PATH, LOG_PATH, BirdDaemon, BirdPaths, BirdStartError, ConfigRefusedError

__all__ = [
    "CONFIG_PATH",
    "CONTROL_PATH",
    "LOG_PATH",
    "BirdControl",
    "BirdDaemon",
    "BirdError",
    "BirdPaths",
    "BirdRefusedError",
    "BirdStartError",
    "BirdTimeoutError",
    "BirdUnavailableError",
    "ConfigRefusedError",
]
