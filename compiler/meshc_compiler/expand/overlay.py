"""Overlays: what `set` and `drop` make of a program's statements."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from meshc_compiler.expand.entry import has_room, with_entry, without_entry
from meshc_compiler.expand.let import LetTable
from meshc_compiler.expand.reference import (
    BlockPlace,
    DeclarationPlace,
    LetPlace,
    Located,
    Miss,
    Places,
    RoutesPlace,
    RulePlace,
    block_of,
    find,
)
from meshc_compiler.expand.rewrite import Place, Rewriter
from meshc_compiler.expand.value import put, same_meaning
from meshc_compiler.finding import Findings, delete, did_you_mean, one_of
from meshc_compiler.lower.field import describe
from meshc_lang.codes import overlays
from meshc_lang.diagnostic import Label
from meshc_lang.source import Span, expanded
from meshc_lang.tree.declaration import LetDecl, MeshDecl
from meshc_lang.tree.node import Name
from meshc_lang.tree.statement import (
    AnyStatement,
    DefaultsDecl,
    DropItem,
    Ref,
    RouteDecl,
    RuleDecl,
    SetItem,
)
from meshc_lang.tree.value import Block, ListValue, Percent


class _Touched:
    """What items of an overlay touch, by the parts of their paths: a tree, since a path may be of any length."""

    def __init__(self) -> None:
        self._item: SetItem | DropItem | None = None
        self._parts: dict[str, _Touched] = {}

    def put(self, path: tuple[str, ...], item: SetItem | DropItem) -> None:
        """Note the item that touches a path."""
        here = self
        for part in path:
            here = here._parts.setdefault(part, _Touched())
        here._item = item

    def above(self, path: tuple[str, ...]) -> SetItem | DropItem | None:
        """Return the item that touches a path, or the whole of something in which it lies."""
        here: _Touched | None = self
        for part in path:
            here = here._parts.get(part) if here is not None else None
            if here is None or here._item is not None:
                break
        return None if here is None else here._item


class Change:
    """The items of one overlay that change what is there, looked up in the program that they change.

    What contradicts itself or hits nothing is told, and left out.
    """

    def __init__(
        self, name: str, items: Iterable[AnyStatement | SetItem | DropItem], places: Places, findings: Findings
    ) -> None:
        self._places = places
        self._findings = findings
        self.name = name
        self.dropped: dict[str, Span] = {}
        """Names that were taken away, with the `drop` that did."""
        changes = [item for item in items if isinstance(item, SetItem | DropItem)]
        self._located: list[tuple[SetItem | DropItem, Located]] = []
        for item in self._without_contradictions(changes):
            place = places.locate(item.ref)
            if isinstance(place, Miss):
                self._tell_miss(item, place)
            elif isinstance(item, SetItem) or self._can_drop(item, place):
                self._located.append((item, place))

    def changed_lets(self, lets: LetTable) -> tuple[LetDecl, ...] | None:
        """Return the `let` statements with those that the overlay sets or drops changed; None if there are none."""
        by_name = {place.name: item for item, place in self._located if isinstance(place, LetPlace)}
        if not by_name:
            return None
        made: list[LetDecl] = []
        for declaration in lets.declarations:
            match by_name.get(declaration.name.text):
                case None:
                    made.append(declaration)
                case SetItem(span=span, value=value):
                    made.append(LetDecl(span=span, name=declaration.name, value=value))
        return tuple(made)

    def apply(
        self, statements: tuple[AnyStatement, ...], lets: LetTable, base_lets: LetTable
    ) -> tuple[AnyStatement, ...]:
        """Return the statements as the overlay has them; `statements` are the places' own, with values by `lets`."""
        changed: dict[int, AnyStatement | None] = {}
        added: list[AnyStatement] = []
        for item, place in self._located:
            now = _Now(statements, changed, added)
            if isinstance(item, DropItem):
                self._drop(item, place, now)
            else:
                self._set(lets.resolve(item, self._findings), place, now, lets, base_lets)
        if not changed and not added:
            return statements
        kept = (changed.get(number, statement) for number, statement in enumerate(statements))
        return (*(statement for statement in kept if statement is not None), *added)

    # ---- one item

    def _set(self, item: SetItem, place: Located, now: _Now, lets: LetTable, base_lets: LetTable) -> None:
        match place:
            case LetPlace():
                old, new = base_lets.value(place.name), lets.value(place.name)
                if old is not None and new is not None and same_meaning(old, new):
                    self._tell_same(item, old.span)
            case DeclarationPlace():
                fields = [
                    pair.key.text for pair in getattr(place.declaration, "body", Block(span=item.span, pairs=())).pairs
                ]
                example = f"name one of its fields, for example `{item.ref.parts[0]}.{fields[0]}`" if fields else ""
                self._cannot(item.ref, "is a declaration, and has no value of its own", example)
            case RoutesPlace():
                self._cannot(item.ref, "is a route with its rules", "name one of its rules")
            case RulePlace():
                self._set_shares(item, place, now)
            case BlockPlace(path=()):
                self._set_block(item, place, now)
            case BlockPlace():
                self._set_entry(item, place, now)

    def _set_entry(self, item: SetItem, place: BlockPlace, now: _Now) -> None:
        blocks = [(number, now.block(number, place.rule)) for number in place.numbers]
        for _, block in blocks:
            old = None if block is None else find(block, place.path)
            if old is not None and same_meaning(old.value, item.value):
                self._tell_same(item, old.span)
                return
        for _, block in blocks:
            wrong = None if block is None else has_room(block, place.path)
            if wrong is not None:
                at, value = wrong
                self._cannot(item.ref, f"leads through `{at}`, which is {describe(value)}", "")
                return
        first = place.path[0].text
        holders = [number for number, block in blocks if block is not None and _has(block, first)]
        holder = next(iter(holders or place.numbers), None)
        for number, block in blocks:
            if block is not None and number != holder:
                now.put_block(number, place.rule, without_entry(block, place.path))
        if holder is None:
            assert place.scope is not None  # noqa: S101 - only defaults may have no statement
            block = with_entry(Block(span=item.span, pairs=()), place.path, item.value, item.span)
            now.added.append(DefaultsDecl(span=item.span, scope=place.scope, body=block))
            return
        block = now.block(holder, place.rule) or Block(span=item.span, pairs=())
        now.put_block(holder, place.rule, with_entry(block, place.path, item.value, item.span))

    def _set_block(self, item: SetItem, place: BlockPlace, now: _Now) -> None:
        if place.numbers and isinstance(now.statement(place.numbers[0]), MeshDecl):
            self._cannot(item.ref, "is the mesh as a whole", "name one of its fields, for example `mesh.mtls`")
        elif not isinstance(item.value, Block):
            self._cannot(item.ref, "stands for a block of settings", "name one of them, or give a block")
        elif place.numbers:
            first, *others = place.numbers
            now.put_block(first, None, item.value)
            for number in others:
                now.changed[number] = None
        elif place.scope is not None:
            now.added.append(DefaultsDecl(span=item.span, scope=place.scope, body=item.value))

    def _set_shares(self, item: SetItem, place: RulePlace, now: _Now) -> None:
        rule = place.rule
        if not isinstance(item.value, ListValue) or not rule.targets:
            what = f"is a rule with {_counted(len(rule.targets))}" if rule.targets else "is a rule without targets"
            self._cannot(
                item.ref, what, "give the shares of its targets, for example `[50%, 50%]`" if rule.targets else ""
            )
            return
        shares: list[Any] = [put(Place.SHARE, share, self._findings) for share in item.value.items]
        if len(shares) != len(rule.targets):
            related = Label(_targets_span(rule), "its targets")
            what = f"has {_counted(len(rule.targets))}, and this gives {len(shares)} share{'s' * (len(shares) != 1)}"
            self._cannot(item.ref, what, "", item.value.span, related)
            return
        if not all(isinstance(share, Percent) for share in shares):
            return
        pairs = list(zip(rule.targets, shares, strict=True))
        if all(isinstance(target.share, Percent) and same_meaning(target.share, share) for target, share in pairs):
            self._tell_same(item, _targets_span(rule))
            return
        targets = tuple(dataclasses.replace(target, span=share.span, share=share) for target, share in pairs)
        span = expanded(rule.span)
        remarks = (*span.remarks, f"shares set at {item.span}", f"overlay {self.name}")
        now.put_rule(
            place.number,
            rule,
            dataclasses.replace(rule, targets=targets, span=dataclasses.replace(span, remarks=remarks)),
        )

    def _can_drop(self, item: DropItem, place: Located) -> bool:
        if not isinstance(place, BlockPlace):
            return True
        if not place.path:
            if place.numbers and not isinstance(self._places.statements[place.numbers[0]], MeshDecl):
                return True
            if place.numbers:
                self._cannot(item.ref, "is the mesh as a whole", "")
            else:
                self._tell_miss(item, Miss(item.ref.parts[-1], _path_text(item.ref.parts[:-1]), ()))
            return False
        if self._places.has_block(place):
            return True
        known = self._places.entries(place)
        self._tell_miss(item, Miss(item.ref.parts[-1], _path_text(item.ref.parts[:-1]), known))
        return False

    def _drop(self, item: DropItem, place: Located, now: _Now) -> None:
        match place:
            case LetPlace():
                self.dropped[place.name] = item.span
            case DeclarationPlace():
                self.dropped[place.declaration.name.text] = item.span
                now.changed[place.number] = None
            case RoutesPlace():
                for number in place.numbers:
                    now.changed[number] = None
            case RulePlace():
                self.dropped[item.ref.parts[-1].text] = item.span
                now.put_rule(place.number, place.rule, None)
            case BlockPlace(path=()):
                for number in place.numbers:
                    now.changed[number] = None
            case BlockPlace():
                for number in place.numbers:
                    block = now.block(number, place.rule)
                    if block is not None:
                        now.put_block(number, place.rule, without_entry(block, place.path))

    # ---- what is wrong with items

    def _without_contradictions(self, items: list[SetItem | DropItem]) -> Iterator[SetItem | DropItem]:
        """Return the items that touch nothing which an earlier one, or one about the whole of it, touches."""
        touched_before = _Touched()
        for item in sorted(items, key=lambda item: (len(item.ref.parts), item.span.sort_key)):
            path = tuple(part.text for part in item.ref.parts)
            other = touched_before.above(path)
            if other is None:
                touched_before.put(path, item)
                yield item
                continue
            same = len(other.ref.parts) == len(path)
            touched = f"`{'.'.join(path)}`"
            message = f"two items of the overlay `{self.name}` touch {touched}"
            if not same:
                message = (
                    f"the overlay `{self.name}` touches {touched} and the whole of `{_path_text(other.ref.parts)}`"
                )
            self._findings.add(
                overlays.CONTRADICTION,
                message,
                item.ref.span,
                label="and here" if same else "",
                related=(Label(other.ref.span, "here …" if same else "and the whole of it here"),),
                help="keep one of them",
                subject=f"overlay {self.name}: {'.'.join(path)}",
            )

    def _tell_miss(self, item: SetItem | DropItem, miss: Miss) -> None:
        message = f"the program has nothing named `{miss.at}` that an overlay could change"
        if miss.behind:
            message = f"`{miss.behind}` has no `{miss.at}`"
        help_line, fixes = did_you_mean(miss.at.text, miss.known, miss.at.span)
        if not help_line and miss.behind:
            known = one_of(miss.known).replace(" or ", " and ")
            help_line = f"it has {known}" if known else f"there is nothing to name behind `{miss.behind}`"
        self._findings.add(
            overlays.HITS_NOTHING,
            message,
            miss.at.span,
            help=help_line,
            fixes=fixes,
            subject=f"overlay {self.name}: {_path_text(item.ref.parts)}",
        )

    def _cannot(self, ref: Ref, why: str, help_line: str, span: Span | None = None, *related: Label) -> None:
        path = _path_text(ref.parts)
        self._findings.add(
            overlays.CANNOT_SET,
            f"`{path}` {why}",
            span or ref.span,
            help=help_line,
            related=related,
            subject=f"overlay {self.name}: {path}",
        )

    def _tell_same(self, item: SetItem, there: Span) -> None:
        path = _path_text(item.ref.parts)
        self._findings.add(
            overlays.CHANGES_NOTHING,
            f"`{path}` has this value already",
            item.span,
            related=(Label(there, "it is stated here"),),
            fixes=(delete("delete this `set`", item.span, len(item.doc)),),
            subject=f"overlay {self.name}: {path}",
        )


class _Now:
    """The statements while an overlay changes them: by number, and those that come new."""

    def __init__(
        self,
        statements: tuple[AnyStatement, ...],
        changed: dict[int, AnyStatement | None],
        added: list[AnyStatement],
    ) -> None:
        self._statements = statements
        self.changed = changed
        self.added = added

    def statement(self, number: int) -> AnyStatement | None:
        return self.changed.get(number, self._statements[number])

    def block(self, number: int, rule: str | None) -> Block | None:
        statement = self.statement(number)
        return None if statement is None else block_of(statement, rule)

    def put_block(self, number: int, rule: str | None, block: Block) -> None:
        statement = self.statement(number)
        if rule is not None and isinstance(statement, RouteDecl):
            for one in statement.rules:
                if one.name is not None and one.name.text == rule:
                    self.put_rule(number, one, dataclasses.replace(one, body=block))
                    return
        elif statement is not None:
            with_body: Any = statement
            self.changed[number] = dataclasses.replace(with_body, body=block)

    def put_rule(self, number: int, old: RuleDecl, new: RuleDecl | None) -> None:
        route = self.statement(number)
        if isinstance(route, RouteDecl) and old.name is not None:
            rules = []
            for rule in route.rules:
                if rule.name is None or rule.name.text != old.name.text:
                    rules.append(rule)
                elif new is not None:
                    rules.append(new)
            self.changed[number] = dataclasses.replace(route, rules=tuple(rules)) if rules else None


class Within(Rewriter):
    """Marks every span of an overlay's items with the overlay."""

    def __init__(self, overlay: str) -> None:
        self._overlay = overlay

    def span(self, span: Span) -> Span:
        """Return the span with its overlay."""
        return dataclasses.replace(expanded(span), within=self._overlay)


def _has(block: Block, key: str) -> bool:
    return any(pair.key.text == key for pair in block.pairs)


def _counted(targets: int) -> str:
    return f"{targets} target" + ("" if targets == 1 else "s")


def _targets_span(rule: RuleDecl) -> Span:
    return rule.targets[0].span.to(rule.targets[-1].span)


def _path_text(parts: tuple[Name, ...]) -> str:
    return ".".join(part.text for part in parts)
