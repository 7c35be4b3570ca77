"""Merkle trees: the definition, the published roots, another implementation, and proofs that cannot be forged."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from recordings.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_ranges,
    inclusion_ranges,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    nodes_of,
    perfect_root,
    roots_of,
    subtrees,
)

PUBLISHED = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
"""The leaves of the test vectors that Certificate Transparency's implementations share, and their roots."""
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(bytes([at % 256, at // 256])) for at in range(300)]


def defined(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if len(hashes) < 2:
        return hashes[0] if hashes else EMPTY_ROOT
    middle = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(defined(hashes[:middle]), defined(hashes[middle:]))


def grown(size: int) -> Frontier:
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.add(leaf)
    return frontier


def proof(ranges: list[tuple[int, int]]) -> list[bytes]:
    found = {
        (level, index): perfect_root(LEAVES[index << level : (index + 1) << level]) for level, index in nodes_of(ranges)
    }
    return roots_of(ranges, found)


def test_the_published_roots_come_out() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == hashlib.sha256().digest()
    for leaf, root in zip(PUBLISHED, ROOTS, strict=True):
        frontier.add(leaf_hash(bytes.fromhex(leaf)))
        assert frontier.root().hex() == root


def test_a_log_of_any_size_has_the_root_of_the_definition_and_grows_from_its_subtrees() -> None:
    frontier, stored = Frontier(), {}
    for size, leaf in enumerate(LEAVES, 1):
        stored |= dict(frontier.add(leaf))
        assert frontier.root() == defined(LEAVES[:size])
        resumed = Frontier(size, [stored[node] for node in subtrees(0, size)])
        assert resumed.root() == frontier.root()


def test_another_implementation_agrees() -> None:
    other = InmemoryTree(algorithm="sha256")
    frontier = Frontier()
    for at in range(70):
        data = f"entry {at}".encode()
        other.append_entry(data)
        frontier.add(leaf_hash(data))
        assert frontier.root() == other.get_root(at + 1)


@given(st.integers(1, 300), st.data())
def test_every_leaf_is_proven(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = proof(inclusion_ranges(index, size))
    assert is_included(LEAVES[index], index, size, path, grown(size).root())


@given(st.integers(0, 300), st.data())
def test_every_beginning_is_proven(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    path = proof(consistency_ranges(old, new))
    assert is_consistent(old, new, grown(old).root(), grown(new).root(), path)


@settings(max_examples=400)
@given(st.integers(2, 300), st.data())
def test_a_forged_inclusion_is_found(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root, path = grown(size).root(), proof(inclusion_ranges(index, size))
    forged_path, forged_index, forged_size, leaf = list(path), index, size, LEAVES[index]
    match data.draw(st.sampled_from(["flip", "drop", "add", "swap", "index", "leaf"])):
        case "flip":
            at = data.draw(st.integers(0, len(path) - 1))
            forged_path[at] = bytes([path[at][0] ^ 1]) + path[at][1:]
        case "drop":
            del forged_path[data.draw(st.integers(0, len(path) - 1))]
        case "add":
            forged_path.insert(data.draw(st.integers(0, len(path))), data.draw(st.sampled_from(LEAVES)))
        case "swap":
            forged_path.reverse()
        case "index":
            forged_index = data.draw(st.integers(-1, size + 1))
        case "leaf":
            leaf = data.draw(st.sampled_from([*LEAVES, root]))
    changed = (forged_path, forged_index, leaf) != (path, index, LEAVES[index])
    assert is_included(leaf, forged_index, forged_size, forged_path, root) is not changed


@settings(max_examples=400)
@given(st.integers(1, 299), st.data())
def test_a_log_whose_past_was_changed_proves_nothing(old: int, data: st.DataObject) -> None:
    new = data.draw(st.integers(old + 1, 300))
    spoilt = data.draw(st.integers(0, old - 1))
    other = Frontier()
    for at, leaf in enumerate(LEAVES[:new]):
        other.add(leaf_hash(b"changed") if at == spoilt else leaf)
    path = proof(consistency_ranges(old, new))
    assert not is_consistent(old, new, grown(old).root(), other.root(), path)
    longer = [*path, LEAVES[0]]
    assert not is_consistent(old, new, grown(old).root(), grown(new).root(), longer)
    if path:
        assert not is_consistent(old, new, grown(old).root(), grown(new).root(), path[:-1])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_there_is_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_ranges(index, size)
