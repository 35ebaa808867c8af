"""What is told of expanded statements, where, and how often; and what overlays change."""

from __future__ import annotations

import pytest

from meshc_compiler.expand import template
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, NoSuchOverlayError, compile_all, compile_program
from meshc_lang.diagnostic import Applicability
from support.findings import applied, findings_text

HEAD = """\
mesh shop { trust-domain: "shop.example" }
service web { port: 8080/http }
service api { port: 8080/http, versions: [v1, v2] }
service cart { port: 8080/http, versions: [v1, v2] }
"""


def compiled(text: str, head: str = HEAD) -> CompileResult:
    return compile_all(("p.mesh",), MemoryReader({"p.mesh": head + text}))


def told(text: str, head: str = HEAD) -> str:
    return findings_text(compiled(text, head).diagnostics)


def codes(text: str, head: str = HEAD) -> list[str]:
    return [one.code.id for one in compiled(text, head).diagnostics]


# ---- templates


def test_a_line_without_effect_in_one_use_of_a_template_is_no_mistake() -> None:
    reader = "template reader(name) {\n  allow web -> name : GET /v1/**\n}\n"
    once = reader + "use reader(api)\nuse reader(cart)\nallow web -> api : GET /**\nallow ingress -> web : GET /\n"
    assert codes(once) == []
    twice = compiled(once + "allow web -> cart : GET /**\n").diagnostics
    assert [one.code.id for one in twice] == ["MSH302", "MSH302"]
    for one in twice:  # one for each callee, both about the same line
        assert one.primary.text == "GET /v1/**"
        assert [label.span.text for label in one.related] == ["GET /**", f"use reader({one.message.split('`')[1]})"]
    fixed = applied(HEAD + once + "allow web -> cart : GET /**\n", twice[0].fixes[0])
    assert "allow web -> name" not in fixed


def test_a_mistake_in_a_template_is_told_once_with_its_uses() -> None:
    text = """\
template reader(name) {
  allow web -> name : GET /v1/x
  allow wbe -> name : GET /v1
}
template readers(one, two) { use reader(one); use reader(two) }
use readers(api, cart)
use reader(web)
"""
    (finding,) = compiled(text).diagnostics
    assert finding.message == "there is no service or group `wbe`"
    assert [(label.span.text, label.text) for label in finding.related] == [
        ("use reader(one)", "expanded from this `use`"),
        ("use readers(api, cart)", "expanded from this `use`"),
        ("use reader(two)", "expanded from this `use`"),
    ]


def test_an_argument_is_told_at_the_use_with_the_place_in_the_template() -> None:
    text = """\
template caller(name, slow) {
  allow name -> api : GET /
  edge name -> api { timeout: slow }
}
use caller(wbe, 5)
"""
    assert (
        told(text)
        == """\
9:12-15 [wbe] MSH101 unknown-name: there is no service or group `wbe`
    6:9-13 [name]: `name` stands here
    7:8-12 [name]: `name` stands here
    help: did you mean `web`?
    fix (unsafe): write `web`
9:17-18 [5] MSH201 wrong-unit: `timeout` needs a unit, for example `5s`
    here: a bare number
    7:31-35 [slow]: `slow` stands here
    fix (choose-one): write `5s`
    fix (choose-one): write `5ms`
"""
    )


def test_ingress_any_and_identities_may_be_given_for_a_peer() -> None:
    text = """\
template caller(name) { allow name -> api : GET /v1/{id} because "all of them" }
use caller(ingress)
use caller(any)
use caller("spiffe://shop.example/ns/jobs/sa/night")
"""
    result = compiled(text)
    assert result.mesh is not None
    assert [rule.id.split(" -> ")[0] for rule in result.mesh.rules] == [
        'allow "spiffe://shop.example/ns/jobs/sa/night"',
        "allow any",
        "allow ingress",
    ]


def test_what_templates_write_out_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    doubling = ["template t0(name) {\n  allow web -> name : GET /\n}"]
    doubling += [f"template t{n + 1}(name) {{\n  use t{n}(name)\n  use t{n}(name)\n}}" for n in range(20)]
    text = "\n".join(doubling)
    assert told(text + "\nuse t20(api)\n") == (
        "88:1-13 [use t20(api)] MSH139 too-large-expansion: with this `use` templates write out more than 100,000 "
        "statements\n"
    )
    monkeypatch.setattr(template, "MOST_NESTED", 5)
    assert told(text + "\nuse t5(api)\n").splitlines()[-1] == (
        "88:1-12 [use t5(api)] MSH139 too-large-expansion: `t5` writes out 6 templates within each other, and at most "
        "5 are taken"
    )


def test_a_use_with_a_mistake_does_not_make_what_it_would_declare_unknown() -> None:
    text = "template store(name, size) { service name { port: 80/http, replicas: size } }\nuse store(books)\n"
    assert codes(text + "allow web -> books : GET /\n") == ["MSH135"]


# ---- values


def test_a_value_that_could_not_be_read_makes_no_second_mistake() -> None:
    text = "let slow = 4 s\nallow web -> api : GET /\nedge web -> api { timeout: slow }\n"
    assert codes(text) == ["MSH009"]


def test_words_stay_words_where_no_let_has_their_name() -> None:
    text = "allow web -> api : GET /\nlet on-what = [connect-failure]\n"
    text += "edge web -> api { retry { limit: 1, on: on-what, budget: 20% } }\nedge web -> cart { balance: random }\n"
    result = compiled(text + "allow web -> cart : GET /\nallow ingress -> web : GET /\n")
    assert result.diagnostics == ()
    assert result.mesh is not None
    assert [str(settings.balance.value.policy) for *_, settings in result.mesh.edge_settings if settings.balance] == [
        "random"
    ]


def test_a_fix_of_a_value_is_made_in_the_let() -> None:
    text = HEAD + 'allow web -> api : GET /\nlet word = "conect-failure"\nedge web -> api { retry { on: [word] } }\n'
    finding = next(one for one in compiled(text, "").diagnostics if one.code.id == "MSH208")
    assert "let word = connect-failure\n" in applied(text, finding.fixes[0])


# ---- overlays

ALLOWED = "allow web -> api : GET /v1/**\nallow ingress -> web : GET /\nallow web -> cart : GET /\n"


def test_what_an_overlay_leaves_without_effect_is_no_mistake_of_the_program() -> None:
    text = ALLOWED + 'overlay repairs {\n  deny any -> api : * /** because "repairs"\n}\n'
    assert codes(text) == []
    wider = ALLOWED + "overlay wide {\n  allow web -> api : GET /**\n}\n"
    assert codes(wider) == []
    narrower = ALLOWED + "overlay narrow {\n  allow web -> api : GET /v1/x\n}\n"
    (finding,) = compiled(narrower).diagnostics
    assert (finding.code.id, finding.fixes[0].applicability) == ("MSH302", Applicability.SAFE)
    assert finding.related[-1].text == "in the overlay `narrow`"


def test_a_fix_in_the_program_of_what_only_an_overlay_shows_is_not_safe() -> None:
    text = ALLOWED + "deny ingress -> api : GET /admin\n" + "overlay open {\n  allow ingress -> api : GET /admin\n}\n"
    found = compiled(text).diagnostics
    # By itself the program has a deny that nothing meets; in the overlay it takes a whole allow.
    assert [(one.code.id, one.fixes[0].applicability) for one in found] == [
        ("MSH303", "unsafe"),
        ("MSH301", "unsafe"),
    ]


def test_an_edge_of_an_overlay_beats_groups_of_the_program_field_by_field() -> None:
    text = (
        ALLOWED
        + """\
group front = [web, ingress]
edge front -> api { timeout: 5s, idle-timeout: 1m }
edge front -> cart { timeout: 5s }
overlay staging {
  edge web -> api { timeout: 1s }
  defaults mesh { timeout: 7s }
}
defaults mesh { timeout: 6s, connect-timeout: 1s }
"""
    )
    result = compiled(text)
    assert result.diagnostics == ()
    mesh = result.overlays[0].mesh
    assert mesh is not None
    edges = {(caller, callee): settings for caller, callee, settings in mesh.edge_settings}
    seconds = {edge: stated.timeout_ns.value // 10**9 for edge, stated in edges.items() if stated.timeout_ns}
    assert seconds == {("web", "api"): 1, ("ingress", "api"): 5, ("web", "cart"): 5, ("ingress", "cart"): 5}
    assert edges["web", "api"].idle_timeout_ns is not None
    assert mesh.mesh_settings.timeout_ns is not None
    assert mesh.mesh_settings.timeout_ns.value == 7 * 10**9
    assert mesh.mesh_settings.connect_timeout_ns is not None


def test_two_statements_of_one_overlay_may_not_contradict_each_other() -> None:
    text = ALLOWED + "edge web -> api { timeout: 5s }\noverlay staging {\n  edge web -> api { timeout: 1s }\n"
    (finding,) = compiled(text + "  edge web -> api { timeout: 2s }\n}\n").diagnostics
    assert finding.code.id == "MSH420"


@pytest.mark.parametrize(
    ("base", "item", "by_hand"),
    [
        ("defaults api { retry: off }", "set api.defaults.retry.limit: 2", "defaults api { retry { limit: 2 } }"),
        (
            "defaults api { retry: off }",
            "set api.defaults.retry.budget: 20%",
            "defaults api { retry { limit: 0, budget: 20% } }",
        ),
        (
            "defaults api { retry { limit: 1, on: [reset], budget: 20% } }",
            "set api.defaults.retry: off",
            "defaults api { retry: off }",
        ),
        (
            "defaults api { balance: random }",
            "set api.defaults.balance: round-robin",
            "defaults api { balance: round-robin }",
        ),
        ("", "set api.defaults.timeout: 3s", "defaults api { timeout: 3s }"),
        ("", "set mesh.defaults.retry.limit: 0", "defaults mesh { retry { limit: 0 } }"),
        (
            "defaults api { timeout: 1s }\ndefaults api { retry { limit: 0 } }",
            "set api.defaults: { timeout: 3s }",
            "defaults api { timeout: 3s }",
        ),
        ("defaults api { timeout: 1s }", "drop api.defaults", ""),
        ("defaults api { timeout: 1s, retry: off }", "drop api.defaults.retry", "defaults api { timeout: 1s }"),
        (
            "route api {\n  /** => v1 90%, v2 10% as canary\n  /x => v2 as x\n}",
            "drop api.route.x",
            "route api {\n  /** => v1 90%, v2 10% as canary\n}",
        ),
        ("route api { /** => v1 as all }", "drop api.route", ""),
        (
            "route api { /** => v1 as all }",
            "set api.route.all.retry.limit: 0",
            "route api { /** => v1 as all { retry { limit: 0 } } }",
        ),
        (
            "slo api { availability: 99.9%, window: 30d }",
            "set api.slo.window: 7d",
            "slo api { availability: 99.9%, window: 7d }",
        ),
        (
            "fault slow on web -> api { delay: 5s, percent: 5% }",
            "set fault.slow.percent: 50%",
            "fault slow on web -> api { delay: 5s, percent: 50% }",
        ),
        ("fault slow on web -> api { delay: 5s, percent: 5% }", "drop fault.slow", ""),
        ("group all = [web, api]", "drop all", ""),
    ],
)
def test_items_do_what_editing_by_hand_does(base: str, item: str, by_hand: str) -> None:
    result = compiled(f"{ALLOWED}{base}\noverlay o {{ {item} }}\n")
    assert [one.message for one in result.diagnostics if one.severity == "error"] == []
    mesh = result.overlays[0].mesh
    wanted = compiled(f"{ALLOWED}{by_hand}\n").mesh
    assert mesh is not None
    assert wanted is not None
    for field in ("services", "service_settings", "mesh_settings", "routes", "objectives", "faults", "rules"):
        assert getattr(mesh, field) == getattr(wanted, field), field


def test_health_that_is_given_by_its_path_keeps_it_when_another_field_is_set() -> None:
    head = HEAD.replace("service cart { port: 8080/http,", "service cart { port: 8080/http, health: /,")
    result = compiled(ALLOWED + "overlay o { set cart.health.interval: 9s }\n", head)
    assert result.diagnostics == ()
    mesh = result.overlays[0].mesh
    assert mesh is not None
    health = next(service.health for service in mesh.services if service.name == "cart")
    assert health is not None
    assert (health.path, health.interval_ns) == ("/", 9 * 10**9)


def test_a_name_that_was_dropped_is_told_with_its_drop() -> None:
    text = ALLOWED + "overlay o {\n  drop cart\n}\n"
    assert (
        told(text)
        == """\
7:14-18 [cart] MSH101 unknown-name: there is no service, external or group `cart`
    9:3-12 [drop cart]: dropped here
    8:9-10 [o]: in the overlay `o`
"""
    )


def test_an_overlay_is_looked_at_even_if_the_program_has_errors() -> None:
    text = "allow wbe -> api : GET /\noverlay o {\n  set apy.replicas: 3\n}\n"
    assert codes(text) == ["MSH101", "MSH701"]


def test_an_overlay_that_is_not_there_is_no_finding() -> None:
    reader = MemoryReader({"p.mesh": HEAD + "overlay staging {}\n"})
    with pytest.raises(NoSuchOverlayError) as caught:
        compile_program(("p.mesh",), reader, overlay="prod")
    assert caught.value.known == ("staging",)


# ---- what comes to too much


def test_values_that_double_at_every_step_are_refused_before_they_are_made() -> None:
    lets = "".join(f"let x{number} = [x{number - 1}, x{number - 1}]\n" for number in range(1, 24))
    text = f'let x0 = ["a", "b"]\n{lets}allow web -> api : GET /x if header "h" in x23\n'
    found = [one for one in compiled(text).diagnostics if one.code.id == "MSH139"]
    assert found[0].message == "the value of `x11` is made of more than 10,000 pieces"
    assert found[0].primary.text == "x11"


@pytest.mark.parametrize("backwards", [False, True], ids=["as they are needed", "backwards"])
def test_values_named_within_each_other_without_end_are_refused_once(backwards: bool) -> None:
    lets = [f"let x{number} = x{number - 1}\n" for number in range(1, 40)]
    text = "".join(reversed(lets) if backwards else lets)
    (finding,) = compiled(
        f"let x0 = 3s\n{text}allow web -> api : GET /x\nedge web -> api {{ timeout: x39 }}\n"
    ).diagnostics
    assert finding.code.id == "MSH139"
    assert "names more than 32 values within each other" in finding.message


def test_a_list_of_many_words_is_a_value_like_others() -> None:
    words = ", ".join(f'"w{number}"' for number in range(2000))
    text = f'let words = [{words}]\nallow web -> api : GET /x if header "h" in words\n'
    assert "MSH139" not in codes(text)


def test_arguments_that_double_from_template_to_template_are_refused() -> None:
    templates = "".join(f"template t{number}(p) {{ use t{number - 1}([p, p]) }}\n" for number in range(1, 30))
    first = 'template t0(p) { allow web -> api : GET /x if header "h" in p }\n'
    (finding,) = compiled(f'{first}{templates}use t29(["a"])\n').diagnostics
    assert finding.code.id == "MSH139"
    assert finding.message == "an argument of this `use` is made of more than 10,000 pieces"


def test_a_value_made_of_one_that_means_nothing_is_told_nothing_of() -> None:
    text = "let x = y\nlet y = x\nlet z = y\nallow web -> api : GET /x\nedge web -> api { timeout: z }\n"
    assert "MSH202" not in codes(text)
