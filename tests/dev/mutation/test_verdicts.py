"""What mutmut says, as changes of functions: names and numbers are mutmut's own, the change is what is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.mutation.verdicts import Mutant, VerdictError, read_verdicts

# As mutmut writes a mutated module: the original and each mutant beside each other.
MUTATED = '''
def allows(role): # type: ignore # mutmut generated
    return role in TABLE

def x_allows__mutmut_orig(role):
    return role in TABLE

def x_allows__mutmut_1(role):
    return role not in TABLE

def x_allows__mutmut_2(role):
    return None

class Store:
    async def xǁStoreǁfind__mutmut_orig(self, key):
        """One row."""
        row = await self.read(
            key,
            limit=1,
        )
        return row

    async def xǁStoreǁfind__mutmut_1(self, key):
        """One row."""
        row = await self.read(
            key,
            limit=2,
        )
        return row

    async def xǁStoreǁfind__mutmut_12(self, key, *, xǁStoreǁfind__mutmut_12=None):
        """One row."""
        row = None
        return row
'''


@pytest.fixture
def mutants(tmp_path: Path) -> Path:
    (tmp_path / "tenancy").mkdir()
    (tmp_path / "tenancy" / "roles.py").write_text(MUTATED, encoding="utf-8")
    return tmp_path


def test_survivors_are_changes_of_functions(mutants: Path) -> None:
    results = """⠋ noise of a progress line
    tenancy.roles.x_allows__mutmut_1: survived
    tenancy.roles.x_allows__mutmut_2: killed
    tenancy.roles.xǁStoreǁfind__mutmut_1: no tests
"""
    verdicts = read_verdicts(results, mutants)
    assert verdicts.counts == {"survived": 1, "killed": 1, "no tests": 1}
    assert verdicts.survivors == [
        Mutant("tenancy.roles.Store.find", ("- limit=1,", "+ limit=2,")),
        Mutant("tenancy.roles.allows", ("- return role in TABLE", "+ return role not in TABLE")),
    ]


def test_change_of_several_lines(mutants: Path) -> None:
    verdicts = read_verdicts("    tenancy.roles.xǁStoreǁfind__mutmut_12: survived", mutants)
    (mutant,) = verdicts.survivors
    assert mutant.change[0] == "- async def find(self, key):"
    assert mutant.change[1:3] == (
        "+ async def find(self, key, *, find=None):",
        "- row = await self.read(",
    )
    assert mutant.change[-1] == "+ row = None"


@pytest.mark.parametrize("status", ["killed", "timeout", "caught by type check"])
def test_noticed_is_no_survivor(mutants: Path, status: str) -> None:
    verdicts = read_verdicts(f"    tenancy.roles.x_allows__mutmut_1: {status}\n", mutants)
    assert (verdicts.counts, verdicts.survivors) == ({status: 1}, [])


@pytest.mark.parametrize(
    "status", ["not checked", "suspicious", "segfault", "check was interrupted by user", "skipped"]
)
def test_what_is_not_clear_is_no_verdict(mutants: Path, status: str) -> None:
    with pytest.raises(VerdictError, match=status):
        read_verdicts(f"    tenancy.roles.x_allows__mutmut_1: {status}\n", mutants)
