"""Put the parts of a signature into query and body: what is signed first, what signs it last.

A filling is *early* when its template needs nothing that is made of the finished request: it is
put in before the request is signed. All others, `{signature}` above all, are appended afterwards.
Either way the caller's own is gone before anything is signed.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from bailee.errors import UnsignableRequest
from bailee.model import Filling, Slot
from bailee.signing.fields import split_names
from bailee.signing.parameters import (
    FORM,
    append_parameter,
    edit_json,
    edit_parameters,
    is_form,
    is_json,
    percent_encoded,
)
from bailee.signing.request import Unsigned

_WRITES: Final = frozenset({"POST", "PUT", "PATCH"})
Values = dict[bytes, bytes]
"""What the names of a template stand for."""


def compile_template(template: str) -> bytes:
    """Make a template ready for `%` with `Values`, which fills it in C."""
    parts = split_names(template)
    return "".join(
        f"%({part})b" if index % 2 else part.replace("%", "%%") for index, part in enumerate(parts)
    ).encode("ascii")


def names_in(template: str) -> frozenset[str]:
    """Return the names that a template uses."""
    return frozenset(split_names(template)[1::2])


class Draft(NamedTuple):
    """A request that is ready to be signed."""

    query: bytes
    body: bytes
    content_type: bytes | None
    """What `Content-Type` has to be; None where it stays."""
    body_kind: Literal["form", "json", "none"]
    in_form: bool
    """Whether parameters go into the form."""


class _Put(NamedTuple):
    name: bytes
    template: bytes
    late: bool


@dataclass(frozen=True, slots=True)
class FillingPlan:
    """The fillings of query and body, made ready."""

    query: tuple[_Put, ...]
    body: tuple[_Put, ...]
    parameters: tuple[_Put, ...]

    @classmethod
    def of(cls, fillings: tuple[Filling, ...], early: frozenset[str]) -> "FillingPlan":
        """Make fillings ready.

        Args:
            fillings: Of a scheme; those of headers are left out.
            early: The names that are known before the request is finished.
        """

        def puts(slot: Slot) -> tuple[_Put, ...]:
            return tuple(
                _Put(f.name.encode(), compile_template(f.value), not names_in(f.value) <= early)
                for f in fillings
                if f.slot is slot
            )

        return cls(puts(Slot.QUERY), puts(Slot.BODY), puts(Slot.PARAMETER))

    @property
    def touches_body(self) -> bool:
        """Tell whether the body may be changed."""
        return bool(self.body or self.parameters)

    def draft(self, request: Unsigned, values: Values) -> Draft:
        """Take out what the caller signed with, and put in what is early.

        Raises:
            UnsignableRequest: One of ours stands there twice, or the body can't hold them.
        """
        query, body, content_type = request.query, request.body, None
        kind: Literal["form", "json", "none"] = "none"
        if self.touches_body:
            kind = _body_kind(request, strictly=bool(self.body))
        if self.query:
            query = _edited(query, self.query, values)
        if self.body and kind == "form":
            body = _edited(body, self.body, values)
        elif self.body and kind == "json":
            body = edit_json(body, _texts(self.body, values))
        if kind == "form" and not is_form(request.content_type):
            content_type = FORM
        if not self.parameters:
            return Draft(query, body, content_type, kind, in_form=False)
        query, body, in_form = self._with_parameters(query, body, kind == "form", values)
        return Draft(query, body, content_type, kind, in_form)

    def finish(self, draft: Draft, values: Values) -> tuple[bytes, bytes]:
        """Append what is made of the signed request; return query and body."""
        query, body = draft.query, draft.body
        for put in self.query:
            if put.late:
                query = append_parameter(query, put.name, percent_encoded(put.template % values))
        late = [put for put in self.body if put.late]
        if draft.body_kind == "json" and late:
            body = edit_json(body, {p.name.decode(): (p.template % values).decode() for p in late})
        elif draft.body_kind == "form":
            for put in late:
                body = append_parameter(body, put.name, percent_encoded(put.template % values))
        for put in self.parameters:
            if put.late:
                value = percent_encoded(put.template % values)
                if draft.in_form:
                    body = append_parameter(body, put.name, value)
                else:
                    query = append_parameter(query, put.name, value)
        return query, body

    def _with_parameters(
        self, query: bytes, body: bytes, form: bool, values: Values
    ) -> tuple[bytes, bytes, bool]:
        own = _encoded(self.parameters, values)
        in_query = edit_parameters(query, own)
        query, seen, in_form = in_query.encoded, in_query.seen, False
        if form and body:
            in_body = edit_parameters(body, own)
            if seen & in_body.seen:
                raise UnsignableRequest(
                    "a parameter of the signature stands in the query and in the form",
                    "leave it out: Bailee fills it",
                )
            body, in_form = in_body.encoded, bool(in_body.seen or not seen)
            seen |= in_body.seen
        for name, value in own.items():
            if value is None or name in seen:
                continue
            if in_form:
                body = append_parameter(body, name, value)
            else:
                query = append_parameter(query, name, value)
        return query, body, in_form


def _edited(encoded: bytes, puts: tuple[_Put, ...], values: Values) -> bytes:
    own = _encoded(puts, values)
    edited = edit_parameters(encoded, own)
    encoded = edited.encoded
    for name, value in own.items():
        if value is not None and name not in edited.seen:
            encoded = append_parameter(encoded, name, value)
    return encoded


def _encoded(puts: tuple[_Put, ...], values: Values) -> dict[bytes, bytes | None]:
    return {
        name: None if late else percent_encoded(template % values) for name, template, late in puts
    }


def _texts(puts: tuple[_Put, ...], values: Values) -> dict[str, str | None]:
    return {
        name.decode(): None if late else (template % values).decode()
        for name, template, late in puts
    }


def _body_kind(request: Unsigned, *, strictly: bool) -> Literal["form", "json", "none"]:
    """Tell what the body is. Without a type it is JSON where it begins like an object."""
    method, _, _, body, content_type = request
    if not body and method not in _WRITES:
        return "none"
    if is_form(content_type):
        return "form"
    if is_json(content_type):
        return "json"
    if not content_type:
        if not body and not strictly:
            return "none"
        return "json" if body.lstrip()[:1] in (b"{", b"[") else "form"
    if not strictly:
        return "none"
    raise UnsignableRequest(
        "the body is neither a form nor JSON", "the signature's parts stand in its members"
    )
