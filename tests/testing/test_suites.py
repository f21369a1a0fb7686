"""The suites catch what breaks a promise, and are themselves as documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import kernel_mgmt.testing

CAUGHT_BY = [
    ("TestInvalidId", "test_the_id_is_valid"),
    ("TestNeedsArguments", "test_the_class_needs_no_arguments"),
    ("TestNeedsConfiguration", "test_configuration_may_be_none_or_empty"),
    ("TestListsNothing", "test_it_lists_kernel_types_and_has_no_problem"),
    ("TestListsNamesAlone", "test_it_lists_kernel_types_and_has_no_problem"),
    ("TestListsOnce", "test_an_asynchronous_listing_is_the_same"),
    ("TestListsOnce", "test_the_next_listing_is_the_same"),
    ("TestListsObjects", "test_the_attributes_can_be_told_in_json"),
    ("TestTellsOtherAttributes", "test_each_name_that_is_listed_can_be_asked_for"),
    ("TestHasEveryKernel", "test_a_name_that_is_not_listed_is_no_kernel_type"),
    ("TestHasEveryKernel", "test_a_name_that_is_not_listed_cannot_be_launched"),
    ("TestRaisesKeyError", "test_a_name_that_is_not_listed_cannot_be_launched"),
    ("TestLaunchesTheDead", "test_a_launched_kernel_answers"),
    ("TestTakesNoDirectory", "test_a_kernel_is_launched_in_a_directory"),
    (
        "TestForgetsTheConnectionInfo",
        "test_a_launch_returns_a_manager_that_knows_how_to_reach_the_kernel_or_none",
    ),
    ("TestAllHaveOneId", "test_two_kernels_run_side_by_side"),
    ("TestForgetsTheOptions", "test_an_option_is_heeded_or_refused"),
    ("TestLeavesACancelledLaunch", "test_a_launch_that_is_cancelled_leaves_nothing"),
    ("TestLeavesAProcess", "test_the_next_listing_is_the_same"),
    ("TestRaisesAnything", "test_a_program_that_is_not_there_is_told"),
    ("TestLeavesAFileOfAFailedLaunch", "test_a_program_that_is_not_there_is_told"),
    ("TestLaunchesAnother", "test_a_launched_kernel_answers"),
    ("TestLaunchesAnother", "test_two_kernels_run_side_by_side"),
    ("TestLaunchesAnother", "test_each_launch_has_a_kernel_id_and_a_key_of_its_own"),
    (
        "TestReturnsAnotherConnectionInfo",
        "test_a_launcher_returns_a_manager_that_knows_how_to_reach_the_kernel",
    ),
    ("TestHidesTheId", "test_the_environment_of_a_kernel_has_its_id"),
    ("TestTellsNoExitCode", "test_a_kernel_that_fails_at_its_start_tells_its_exit_code"),
    ("TestKeepsTheChildren", "test_the_children_of_a_kernel_end_with_it"),
    ("TestCancelledLauncher", "test_a_launch_that_is_cancelled_leaves_nothing"),
    ("TestHasNoId", "test_a_manager_has_a_kernel_id"),
    ("TestInterruptsInAnotherWay", "test_a_manager_knows_how_to_interrupt"),
    ("TestNeverAnswers", "test_the_kernel_of_a_manager_answers"),
    ("TestIsNeverAlive", "test_a_kernel_that_runs_is_alive"),
    ("TestIsAlwaysAlive", "test_kill_ends_the_kernel"),
    ("TestIsAlwaysAlive", "test_the_end_is_seen_though_nobody_waits"),
    ("TestTellsNoEnd", "test_kill_ends_the_kernel"),
    ("TestTellsNoEnd", "test_wait_returns_when_the_kernel_ends_by_itself"),
    ("TestTellsAnEndFromTheBeginning", "test_a_kernel_that_runs_is_alive"),
    ("TestIgnoresSignals", "test_a_signal_reaches_the_kernel"),
    ("TestIgnoresSignals", "test_terminate_ends_the_kernel"),
    ("TestWaitsForNothing", "test_several_tasks_wait_and_one_gives_up"),
    ("TestWaitsAndReturnsTrue", "test_wait_returns_false_after_the_end"),
    ("TestWaitsAndReturnsTrue", "test_wait_returns_when_the_kernel_ends_by_itself"),
    ("TestKillsInTurn", "test_two_tasks_kill_one_kernel"),
    ("TestCannotSignalTheDead", "test_a_dead_kernel_can_be_asked_for_anything_twice"),
    ("TestCleansUpInTurn", "test_two_tasks_ask_a_dead_kernel_for_anything"),
    ("TestForgetsItsExitStatus", "test_the_exit_status_stays"),
    ("TestIsReadyOnce", "test_the_kernel_may_be_ready_more_than_once"),
    ("TestInterruptKills", "test_an_interrupt_ends_what_is_executed_and_not_the_kernel"),
    ("TestIsBoundToALoop", "test_a_manager_is_used_from_another_event_loop"),
    ("TestLeavesAFile", "test_nothing_is_left_after_the_end"),
]
SOUND = ("TestSoundLauncher", "test_a_launched_kernel_answers")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[str]]:
    """What came of the tests of the broken ones, by class and test."""
    directory = tmp_path_factory.mktemp("broken")
    (directory / "pytest.ini").touch()
    file = Path(__file__).with_name("broken.py")
    options = ["-q", "--noconftest", "-p", "no:cacheprovider", "--junit-xml", "outcomes.xml"]
    one_event_loop = ["-k", "not trio"]
    tests = [f"{file}::{broken}::{test}" for broken, test in [*CAUGHT_BY, SOUND]]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "pytest.ini", *options, *one_event_loop, *tests],
        cwd=directory,
        capture_output=True,
        timeout=120,
        check=False,
    )
    outcomes: dict[tuple[str, str], list[str]] = {}
    for case in ElementTree.parse(directory / "outcomes.xml").iter("testcase"):
        broken, test = case.attrib["classname"].rpartition(".")[2], case.attrib["name"]
        said = " ".join(f"{child.tag}: {child.text}" for child in case) or "passed"
        outcomes.setdefault((broken, test.partition("[")[0]), []).append(said)
    return outcomes


@pytest.mark.parametrize(("broken", "test"), CAUGHT_BY)
def test_a_broken_promise_is_caught(
    outcomes: dict[tuple[str, str], list[str]], broken: str, test: str
) -> None:
    caught = [said.partition(":")[0] for said in outcomes[broken, test]]

    assert caught != []
    assert set(caught) <= {"failure", "error"}


def test_what_broken_ones_have_left_fails_no_sound_one(
    outcomes: dict[tuple[str, str], list[str]],
) -> None:
    assert outcomes[SOUND] == ["passed"]


def test_the_list_of_public_names_is_sorted_and_each_is_there() -> None:
    names = kernel_mgmt.testing.__all__

    assert list(names) == sorted(names)
    assert all(getattr(kernel_mgmt.testing, name) is not None for name in names)


def test_what_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = kernel_mgmt.testing.nonsense


def test_pytest_is_imported_for_a_suite_alone() -> None:
    code = """
import sys
from kernel_mgmt.testing import check_entry_point, fake_kernel_argv
print("pytest" in sys.modules)
from kernel_mgmt.testing import ProviderSuite
print("pytest" in sys.modules)
"""
    printed = run(code).stdout.split()

    assert printed == ["False", "True"]


def test_pytest_is_named_in_no_other_module() -> None:
    testing = Path(kernel_mgmt.testing.__file__).parent
    others = [path for path in testing.parent.rglob("*.py") if testing not in path.parents]

    assert [path for path in others if "pytest" in path.read_text(encoding="utf-8")] == []


def test_without_pytest_a_suite_says_what_to_install() -> None:
    code = """
import sys
sys.modules["pytest"] = None
from kernel_mgmt.testing import ProviderSuite
"""
    error = run(code).stderr

    assert "ImportError: The suites need pytest: pip install kernel-mgmt[testing]" in error


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "testing.md"


def test_the_reference_has_every_switch_of_the_fake_kernel() -> None:
    shown = run("from kernel_mgmt.testing.fake_kernel import main; main(['--help'])").stdout
    switches = set(re.findall(r"^  (--[a-z-]+)", shown, re.MULTILINE))
    documented = set(re.findall(r"^\| `(--[a-z-]+)", REFERENCE.read_text(), re.MULTILINE))

    assert switches != set()
    assert documented == switches


def test_the_reference_has_every_command_of_the_fake_kernel() -> None:
    import kernel_mgmt.testing._fake_commands as module

    assert module.__doc__ is not None
    commands = set(re.findall(r"^``(\w+)", module.__doc__, re.MULTILINE))
    table = REFERENCE.read_text().partition("| command | effect |")[2]
    documented = set(re.findall(r"^\| `(\w+)", table, re.MULTILINE))

    assert commands != set()
    assert documented == commands
