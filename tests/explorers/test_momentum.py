"""The momentum tool: every control counts, and a path that flies away is said."""

from helpers.explorers.momentum import MomentumExplorer


def test_every_control_changes_the_picture():
    tool = MomentumExplorer()
    for name, value in {"beta": 0.3, "lr": 0.05, "steps": 7}.items():
        before = tool.image.value
        tool._controls[name].value = value
        assert tool.image.value != before
        assert tool.error.value == ""


def test_a_path_that_flies_away_is_said_and_drawn_without_an_error():
    tool = MomentumExplorer(beta=0.0, lr=0.2, steps=120)
    assert "flew away" in tool._titles[1].get_text()
    tool.set(lr=0.05)
    assert "distance to the cross" in tool._titles[1].get_text()


def test_the_tool_is_a_bundle_with_a_picture_and_words():
    data, about = MomentumExplorer()._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert "hump" in about["image/png"]["alt"]
