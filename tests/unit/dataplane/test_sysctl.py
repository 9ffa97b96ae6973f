"""Settings are written where they differ, follow their link, and fail by name; the files are those of a folder of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.netlink.rtnetlink import Link
from tortie.dataplane.sysctl import (
    FORWARDING,
    Setting,
    SettingsUnwanted,
    SettingsWanted,
    SysctlDriver,
    workload_link_settings,
)

CALI1 = Link(name="cali1", ifindex=7)
PROXY = Setting("net/ipv4/conf/cali1/proxy_arp", "1")
DELAY = Setting("net/ipv4/conf/cali1/proxy_delay", "0")


class Files:
    """A ``/proc/sys``, and which of its files the driver has written."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.written: list[str] = []

        def write_text(path: Path, text: str) -> int:
            self.written.append(str(path.relative_to(root)))
            return path.write_bytes(f"{text}\n".encode())

        monkeypatch.setattr(Path, "write_text", write_text)

    def put(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(text.encode())

    def __getitem__(self, path: str) -> str:
        return (self.root / path).read_text()

    def remove_link(self, name: str) -> None:
        for file in (self.root / f"net/ipv4/conf/{name}").iterdir():
            file.unlink()
        (self.root / f"net/ipv4/conf/{name}").rmdir()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    files = Files(tmp_path, monkeypatch)
    files.put(PROXY.path, "0\n")
    files.put(DELAY.path, "0\n")
    return files


@pytest.fixture
def driver(files: Files) -> SysctlDriver:
    driver = SysctlDriver(files.root)
    driver.stage(SettingsWanted(link="cali1", settings=(PROXY, DELAY)))
    return driver


def flush(driver: SysctlDriver) -> list[str]:
    """Apply what is due; for which links that was."""
    batches = driver.plan()
    for batch in batches:
        driver.apply(batch)
    return [batch.link for batch in batches]


def test_only_what_differs_is_written_and_a_second_plan_is_empty(driver: SysctlDriver, files: Files) -> None:
    driver.link_changed(CALI1)
    assert flush(driver) == ["cali1"]
    assert files.written == [PROXY.path]
    assert files[PROXY.path] == "1\n"
    assert driver.plan() == []


def test_settings_wait_for_their_link_and_are_made_again_on_a_new_one(driver: SysctlDriver, files: Files) -> None:
    assert driver.plan() == []
    driver.link_changed(CALI1)
    flush(driver)
    driver.link_changed(Link(name="cali1", ifindex=7, up=True))
    assert driver.plan() == []
    driver.link_gone("cali1")
    assert driver.plan() == []
    files.put(PROXY.path, "0\n")
    driver.link_changed(Link(name="cali1", ifindex=8))
    assert flush(driver) == ["cali1"]
    assert files[PROXY.path] == "1\n"


def test_the_host_s_own_settings_wait_for_nothing_and_go_first(driver: SysctlDriver, files: Files) -> None:
    for setting in FORWARDING:
        files.put(setting.path, "0\n")
    driver.stage(SettingsWanted(link="", settings=FORWARDING))
    driver.link_changed(CALI1)
    assert flush(driver) == ["", "cali1"]
    assert [files[setting.path] for setting in FORWARDING] == ["1\n", "1\n"]


def test_what_is_no_longer_wanted_is_left_as_it_is(driver: SysctlDriver, files: Files) -> None:
    driver.link_changed(CALI1)
    flush(driver)
    driver.stage(SettingsUnwanted(link="cali1"))
    driver.stage(SettingsUnwanted(link="never-wanted"))
    assert driver.plan() == []
    assert files[PROXY.path] == "1\n"


def test_a_link_that_is_gone_unheard_is_no_failure(driver: SysctlDriver, files: Files) -> None:
    driver.link_changed(CALI1)
    files.remove_link("cali1")
    assert flush(driver) == ["cali1"]
    assert driver.plan() == []
    assert driver.read_back() == {}


def test_a_setting_that_the_kernel_does_not_know_is_named(driver: SysctlDriver, files: Files) -> None:
    unknown = Setting("net/ipv4/conf/cali1/no_such", "1")
    driver.stage(SettingsWanted(link="cali1", settings=(unknown, PROXY)))
    driver.link_changed(CALI1)
    with pytest.raises(KernelRefusedError, match=r"set .*/net/ipv4/conf/cali1/no_such to 1: No such file"):
        flush(driver)
    assert files[PROXY.path] == "1\n"
    (due,) = driver.plan()
    assert due.settings == (unknown,)


def test_a_file_that_may_not_be_written_is_named_and_stays_due(
    driver: SysctlDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, text: str) -> int:
        raise PermissionError(13, "Permission denied")

    driver.link_changed(CALI1)
    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(KernelRefusedError, match=r"proxy_arp to 1: Permission denied") as refusal:
        flush(driver)
    assert refusal.value.errno == 13
    (due,) = driver.plan()
    assert due.settings == (PROXY,)


def test_reading_back_finds_what_somebody_has_changed(driver: SysctlDriver, files: Files) -> None:
    driver.link_changed(CALI1)
    flush(driver)
    files.put(DELAY.path, "80\n")
    assert driver.plan() == []
    assert driver.read_back() == {PROXY.path: "1", DELAY.path: "80"}
    assert flush(driver) == ["cali1"]
    assert files.written == [PROXY.path, DELAY.path]


def test_a_workload_s_link_has_its_settings_in_both_families() -> None:
    paths = dict(workload_link_settings("cali1"))
    assert all("/cali1/" in path for path in paths)
    assert paths["net/ipv4/conf/cali1/proxy_arp"] == "1"
    assert paths["net/ipv4/neigh/cali1/proxy_delay"] == "0"
    assert paths["net/ipv6/conf/cali1/accept_dad"] == "0"
