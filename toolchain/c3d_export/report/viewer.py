"""The viewer's part of the page: its controls, and the pictures as data for its script."""

from __future__ import annotations

from dataclasses import dataclass

from c3d_export.evaluate.labels import label_of
from c3d_export.report.markup import Markup, element, joined
from c3d_export.report.pictures import Shot

_KEYS = (
    ("← →", "move the slider, or the picture when it has the focus"),
    ("F", "flicker between the two sides on and off"),
    ("Space", "show the other side while it is held"),
    ("1 to 9", "another version on the right"),
    ("+ -", "zoom"),
    ("X", "swap the sides"),
)


@dataclass(frozen=True)
class Viewer:
    """`shots`: what can be seen. `notes`: what a reader must know about them. `absent`: why there
    are none."""

    shots: tuple[Shot, ...] = ()
    notes: tuple[str, ...] = ()
    absent: str = ""


def viewer_data(viewer: Viewer) -> list[dict[str, object]]:
    """What the script reads: per shot its size and its versions with their pictures."""
    return [
        {
            "image": shot.image,
            "about": about(shot),
            "width": shot.crop.width,
            "height": shot.crop.height,
            "versions": [
                {"label": item.label, "caption": item.caption, "url": item.url}
                for item in shot.pictures
            ],
        }
        for shot in viewer.shots
    ]


def about(shot: Shot) -> str:
    """What is shown of a frame, and what is not."""
    whole = (shot.crop.width, shot.crop.height) == (shot.width, shot.height)
    part = f"{shot.crop.width}x{shot.crop.height} at {shot.crop.x}, {shot.crop.y}"
    shown = "The whole frame" if whole else f"The part of {part} of {shot.width}x{shot.height}"
    sentences = [f"{shown}, pixel for pixel (lossless WebP); ours at quality {shot.quality}."]
    if shot.why:
        sentences.append(f"Chosen as {shot.why}.")
    sentences += [f"Without {label_of(name)}: {reason}." for name, reason in shot.missing]
    return " ".join(sentences)


def viewer_section(viewer: Viewer) -> Markup:
    """The controls, or the reason why there is nothing to see."""
    notes = joined(*(element("p", note, class_="caution") for note in viewer.notes))
    if not viewer.shots:
        return joined(notes, element("p", viewer.absent or "There are no pictures."))
    intro = element(
        "p",
        "Original, ours and every other codec at the same bytes: the others take the quality whose"
        " file comes nearest to ours. Rate, PSNR and MS-SSIM are of the whole frame.",
    )
    return joined(intro, notes, _controls(viewer), _stage(), _keys())


def _controls(viewer: Viewer) -> Markup:
    frames = (element("option", shot.image, value=index) for index, shot in enumerate(viewer.shots))
    zooms = (element("option", f"{times}×", value=times) for times in (1, 2, 3, 4, 6, 8))
    return element(
        "div",
        element("label", "Frame ", element("select", *frames, id="v-frame")),
        element("label", "Left ", element("select", id="v-left")),
        element("label", "Right ", element("select", id="v-right")),
        element("label", "Zoom ", element("select", *zooms, id="v-zoom")),
        _button("v-swap", "Swap"),
        _button("v-flicker", "Flicker", aria_pressed="false"),
        class_="controls",
    )


def _stage() -> Markup:
    pictures = (
        element("img", id=f"v-{side}-picture", alt="", draggable="false")
        for side in ("left", "right")
    )
    stage = element(
        "div",
        *pictures,
        element("div", element("span"), id="v-divider"),
        id="v-stage",
        tabindex=0,
        role="group",
        aria_label="Pictures; arrow keys move them when they are larger than their frame",
    )
    slider = element(
        "input",
        type="range",
        id="v-slider",
        min=0,
        max=100,
        value=50,
        step=1,
        aria_label="How much of the left picture is seen, percent",
    )
    captions = element(
        "div",
        element("p", id="v-left-caption"),
        element("p", id="v-right-caption"),
        class_="captions",
        aria_live="polite",
    )
    return joined(stage, slider, captions, element("p", id="v-about", class_="hint"))


def _keys() -> Markup:
    pairs = (joined(element("dt", element("kbd", key)), element("dd", text)) for key, text in _KEYS)
    return element("details", element("summary", "Keys"), element("dl", *pairs, class_="keys"))


def _button(identity: str, text: str, **attributes: str) -> Markup:
    return element("button", text, type="button", id=identity, **attributes)
