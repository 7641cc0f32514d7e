"""A plain text box. Forms have dozens of them, and Quasar's take the browser several times as long."""

from typing import Any

from nicegui.elements.mixins.value_element import ValueElement
from nicegui.events import GenericEventArguments

KEEP = "(event) => { element.props.value = event.target.value; emit(event.target.value); }"
"""What is typed is kept in the page too, so that drawing it again does not bring back what stood there before."""


class TextBox(ValueElement[str]):
    """`value`: what stands in it."""

    VALUE_PROP = "value"
    LOOPBACK = None

    def __init__(self, value: str, placeholder: str = "") -> None:
        super().__init__(tag="input", value=value)
        self.classes("textbox").props("type=text spellcheck=false autocomplete=off")
        if placeholder:
            self.props(f"placeholder='{placeholder}'")
        self.on("input", self._typed, js_handler=KEEP)

    def _typed(self, event: GenericEventArguments) -> None:
        if isinstance(event.args, str):
            self._send_update_on_value_change = False
            self.set_value(event.args)
            self._send_update_on_value_change = True

    def complain(self, wrong: bool) -> None:
        """In the colour of errors, or as usual."""
        self.classes(add="wrong") if wrong else self.classes(remove="wrong")

    def _event_args_to_value(self, e: Any) -> str:
        return str(e.args)
