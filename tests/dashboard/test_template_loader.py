"""Pages are sent without their templates' indentation, and look the same."""

from django.template import engines

from dashboard.template_loader import compact


def rendered(source: str, **context) -> str:
    return engines["django"].from_string(compact(source)).render(context)


def test_indentation_is_not_sent():
    assert compact("<ul>\n    <li>\n\t\ta\n    </li>\n</ul>\n") == "<ul>\n<li>\na\n</li>\n</ul>\n"


def test_lines_of_tags_are_not_sent():
    source = "<b>a</b>\n  {% if x %}\n    <b>b</b>\n  {% endif %}\n  {# why #}\n<b>c</b>"

    assert rendered(source, x=True) == "<b>a</b>\n<b>b</b>\n<b>c</b>"
    assert rendered(source, x=False) == "<b>a</b>\n<b>c</b>"


def test_words_of_neighboring_lines_stay_apart():
    source = "at\n{% if x %}\n  {{ x }}\n{% endif %}\n{% now 'Y' %}\nby"

    words = rendered(source, x="noon").split()

    assert (words[0], words[1], words[3]) == ("at", "noon", "by")


def test_preformatted_text_is_sent_as_it_is():
    for element in ("pre", "textarea"):
        source = f"<{element} id=x>\n  a\n    {{% if x %}}\n  b{{% endif %}}</{element}>  after\n"

        assert compact(source) == source


def test_the_pages_use_it():
    template = engines["django"].get_template("base.html")

    assert "\n  <" not in template.template.source
