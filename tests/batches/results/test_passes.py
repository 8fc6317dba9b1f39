"""Which tokens of a request belong to which model and prompt bracket."""

import pytest

from batches.client.results import Message
from batches.client.usage import Pass, Usage
from batches.results.passes import parts_of

STEPS = (100, 200)


def own(prompt: int, answer: int = 0, **more) -> Pass:
    return Pass(type="message", input_tokens=prompt, output_tokens=answer, **more)


def parts(prompt: int, *passes: Pass, answer: int = 0) -> dict:
    """The parts of a message of so many tokens, by name and brackets."""
    usage = Usage(input_tokens=prompt, output_tokens=answer, iterations=list(passes))
    found = parts_of(Message("m", usage), STEPS)
    return {(name, low, high): tokens[:2] for (name, _, low, high), tokens in found.items()}


@pytest.mark.parametrize(
    ("prompt", "passes", "expected"),
    [
        (100, [], {("message", 0, 0): (100, 0)}),
        (101, [], {("message", 1, 1): (101, 0)}),
        (150, [own(75), own(75)], {("message", 0, 0): (150, 0)}),
        (201, [own(100), own(101)], {("message", 0, 0): (100, 0), ("message", 1, 1): (101, 0)}),
        (402, [own(201), own(201)], {("message", 2, 2): (402, 0)}),
    ],
    ids=["at a step", "above it", "two below", "one on each side", "both above"],
)
def test_passes_that_add_up_are_each_in_the_bracket_of_their_prompt(prompt, passes, expected):
    assert parts(prompt, *passes) == expected


@pytest.mark.parametrize(
    ("prompt", "passes", "brackets"),
    [
        (150, [own(60)], (0, 0)),
        (201, [own(100)], (0, 1)),
        (160, [own(101)], (0, 1)),
        (400, [own(10)], (0, 2)),
        (150, [own(100), own(101)], (0, 1)),
        (402, [own(150), own(251)], (0, 2)),
    ],
    ids=[
        "the rest is short",
        "the rest is long",
        "the rest is shorter than what is listed",
        "nearly all is not listed",
        "more is listed than there is",
        "a token is not listed",
    ],
)
def test_tokens_that_no_pass_lists_may_be_of_any_prompt_up_to_their_number(
    prompt, passes, brackets
):
    assert parts(prompt, *passes) == {("message", *brackets): (prompt, 0)}


def test_passes_whose_answers_do_not_add_up_do_not_divide_the_tokens():
    assert parts(201, own(100, 1), own(101, 1), answer=3) == {("message", 0, 1): (201, 3)}


def test_a_pass_of_a_model_that_declined_has_no_say_in_the_bracket():
    declined = own(10, model="other")
    served = Pass(type="fallback_message", model="m", input_tokens=150, output_tokens=0)

    assert parts(150, declined, served) == {("message", 1, 1): (150, 0)}


def test_passes_of_another_name_for_the_model_count_where_no_other_is_listed():
    assert parts(201, own(100, model="alias"), own(101, model="alias")) == {
        ("message", 0, 0): (100, 0),
        ("message", 1, 1): (101, 0),
    }


def test_an_advisor_without_a_model_is_not_taken_for_the_messages_own():
    advice = Pass(type="advisor_message", input_tokens=101, output_tokens=2)
    usage = Usage(input_tokens=1, output_tokens=1, iterations=[advice])

    found = parts_of(Message("m", usage), STEPS)

    assert found["advisor", "", 1, 1][:2] == (101, 2)
    assert found["message", "m", 0, 0][:2] == (1, 1)
