import pytest

from batches.models import AuditEvent, Batch
from tests.dashboard.conftest import HTMX


@pytest.fixture
def operator(sign_in):
    return sign_in("operator", name="ada")


def test_a_label_is_set_and_shown(operator, row):
    row("one")

    answer = operator.post(
        "/batches/one/label/",
        {"label": " eval 7 ", "owner": "ada", "note": "why\r\nso"},
        follow=True,
    )

    assert "Saved." in answer.text
    assert "eval 7" in answer.text
    assert Batch.objects.get().label == "eval 7"
    assert Batch.objects.get().note == "why\nso"


def test_htmx_gets_only_the_panel(operator, row):
    row("one")

    form = operator.get("/batches/one/label/", headers=HTMX).text
    panel = operator.post("/batches/one/label/", {"label": "eval"}, headers=HTMX).text

    assert "<html" not in form + panel
    assert 'id="labels-save"' in form
    assert 'id="edit-labels"' in panel
    assert "eval" in panel


def test_leaving_the_form_brings_the_panel_back_unchanged(operator, row):
    row("one", label="eval")

    panel = operator.get("/batches/one/label/?keep", headers=HTMX).text

    assert 'id="edit-labels"' in panel
    assert "eval" in panel


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"label": "x" * 201}, "at most 200 characters"),
        ({"owner": "x" * 201}, "at most 200 characters"),
        ({"note": "x" * 2_001}, "at most 2000 characters"),
        ({"label": "a\u202eb"}, "control character"),
        ({"note": "a\x1b[31m"}, "control character"),
        ({"note": "a\x00b"}, "control character"),
    ],
)
def test_an_invalid_label_is_explained_and_what_was_typed_stays(operator, row, given, sentence):
    row("one", owner="before", label="before", note="before")

    page = operator.post("/batches/one/label/", {"label": "typed", **given}).text

    assert sentence in page
    assert 'role="alert"' in page
    assert set(Batch.objects.values_list("label", "owner", "note").get()) == {"before"}


def test_an_outdated_form_overwrites_nothing_and_shows_both_versions(operator, row):
    batch = row("one", label="theirs")
    was = {"was_label": "", "was_owner": "", "was_note": ""}

    page = operator.post("/batches/one/label/", {"label": "mine", **was}).text

    assert "Someone else edited this while you were typing" in page
    assert "“theirs”" in page
    assert 'value="mine"' in page
    batch.refresh_from_db()
    assert batch.label == "theirs"

    again = {"was_label": "theirs", "was_owner": "", "was_note": ""}
    operator.post("/batches/one/label/", {"label": "mine", **again})
    batch.refresh_from_db()
    assert batch.label == "mine"


def test_a_note_of_several_lines_does_not_look_changed(operator, row):
    row("one", note="two\nlines")

    operator.post(
        "/batches/one/label/",
        {"label": "x", "note": "two\r\nlines", "was_label": "", "was_owner": "",
         "was_note": "two\r\nlines"},
    )  # fmt: skip

    assert Batch.objects.get().label == "x"


def test_a_viewer_sees_labels_and_may_not_change_them(sign_in, row):
    row("one", label="eval", note="because")
    viewer = sign_in("viewer")

    page = viewer.get("/batches/one/").text
    forged = viewer.post("/batches/one/label/", {"label": "mine"}, headers=HTMX)

    assert "eval" in page
    assert "because" in page
    assert "/batches/one/label/" not in page
    assert forged.status_code == 403
    assert Batch.objects.get().label == "eval"
    assert not AuditEvent.objects.filter(action="batch labeled").exists()


def test_hostile_text_is_shown_as_text(operator, row):
    row("one")
    evil = "<script>alert(1)</script>"

    page = operator.post(
        "/batches/one/label/", {"label": evil, "owner": evil, "note": evil}, follow=True
    ).text

    assert evil not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "wanted", ["q=nightly", "q=ada", "q=rerun", "label=nightly+eval", "owner=ada"]
)
def test_a_batch_is_found_by_label_owner_and_note(operator, row, wanted):
    row("one", label="nightly eval", owner="ada", note="rerun of the one before")
    row("two", label="other", owner="eve")

    page = operator.get(f"/?{wanted}").text

    assert 'id="batch-one"' in page
    assert 'id="batch-two"' not in page


def test_suggestions_come_from_the_person_s_workspaces(operator, row, other_workspace):
    row("one", label="mine")
    row("theirs", workspace=other_workspace, label="secret project")

    page = operator.get("/batches/one/label/").text

    assert 'value="mine"' in page
    assert "secret project" not in page
