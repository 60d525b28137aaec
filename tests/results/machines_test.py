from elmo_plugin.results.machines import gathered, this_machine, told

MACHINE = {
    "processor": "a CPU",
    "cores": 2,
    "threads": 1,
    "at_once": 1,
    "gpus": [],
    "python": "3.11.9",
    "versions": {"torch": "2.11"},
    "date": "2026-11-20",
}


def test_a_single_machine_is_told_with_its_days():
    later = {**MACHINE, "date": "2026-11-22"}
    one_day = "Trained on 2 cores of a CPU (1 thread, no GPU), Python 3.11.9, torch 2.11, 2026-11-20."
    assert told(gathered([MACHINE])) == one_day
    assert told(gathered([later, MACHINE, later])) == one_day.replace("2026-11-20", "2026-11-20 to 2026-11-22")


def test_each_distinct_machine_is_told_with_its_number_of_trainings():
    other = {**MACHINE, "cores": 1, "threads": 4, "at_once": 3, "gpus": ["a GPU"]}
    assert told(gathered([MACHINE, other, MACHINE])) == (
        "2 trainings on 2 cores of a CPU (1 thread, no GPU), Python 3.11.9, torch 2.11, 2026-11-20. "
        "1 training on 1 core of a CPU (4 threads, 3 trainings at once, a GPU), Python 3.11.9, torch 2.11, 2026-11-20."
    )


def test_records_of_before_there_were_several_at_once_are_of_the_same_machine():
    old = {key: value for key, value in MACHINE.items() if key != "at_once"}
    assert [machine["trainings"] for machine in gathered([old, MACHINE])] == [2]


def test_this_machine_is_told():
    assert told(gathered([this_machine()])).startswith(f"Trained on {this_machine()['cores']} core")
