"""Every host of a lab has addresses, blocks and a name of its own; labs are found by name."""

from __future__ import annotations

import pytest

from tortie.lab import layout
from tortie.lab.layout import HostLayout, check_name, hosts, listed_labs, socket_address


def test_host_n_has_the_nth_address_and_the_nth_block_of_each_family() -> None:
    host = HostLayout(3)
    assert (host.name, str(host.ipv4), str(host.ipv6)) == ("host3", "172.30.0.3", "fd00:30::3")
    assert [str(block) for block in host.blocks] == ["10.65.0.128/26", "fd00:65::80/122"]


def test_no_two_hosts_share_anything_and_all_stay_within_the_pools() -> None:
    every = hosts(layout.MAX_HOSTS)
    assert len({host.ipv4 for host in every} | {host.ipv6 for host in every}) == 2 * layout.MAX_HOSTS
    assert len({block for host in every for block in host.blocks}) == 2 * layout.MAX_HOSTS
    assert all(layout.POOL_V4.contains(host.blocks[0]) and layout.POOL_V6.contains(host.blocks[1]) for host in every)
    assert not {layout.FABRIC_V4, layout.FABRIC_V6} & {address for host in every for address in (host.ipv4, host.ipv6)}


@pytest.mark.parametrize("count", [0, -1, layout.MAX_HOSTS + 1])
def test_a_lab_of_no_or_too_many_hosts_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"not {count}"):
        hosts(count)


@pytest.mark.parametrize("name", ["default", "a", "stars-1234", "0", "a" * 40])
def test_these_are_names_of_labs(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a b", "a/b", "a\0b", "ä", "a" * 41])
def test_these_are_not(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a lab"):
        check_name(name)


def test_a_user_s_labs_are_read_from_the_kernel_s_list_of_sockets() -> None:
    def line(path: str) -> str:
        return f"0000000000000000: 00000002 00000000 00010000 0001 01 12345 {path}".rstrip()

    text = "\n".join([
        "Num       RefCount Protocol Flags    Type St Inode Path",
        *(line(path) for path in ("/run/x.sock", "", "@tortie-lab-1000-b", "@tortie-lab-1000-a", "@tortie-lab-1000-a")),
        line("@tortie-lab-10001-other-user"),
        line("@tortie-lab-0-root"),
    ])  # fmt: skip
    assert listed_labs(1000, text) == ("a", "b")


def test_the_listed_name_is_the_one_that_the_address_was_made_of() -> None:
    address = socket_address(1000, "stars-1").replace("\0", "@")
    assert listed_labs(1000, f"header\n0: 1 0 0 1 1 1 {address}\n") == ("stars-1",)
