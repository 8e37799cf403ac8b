"""The report of a study: complete in one file, true to its data, safe with any name, every figure in it."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from peerwatt.pages.markup import coordinate, escape, tag
from peerwatt.pages.numbers import Money, grouped, kwh, share
from peerwatt.study.report import render_page, render_summary, write_report
from peerwatt.study.report.flows import left_over, paid_in
from peerwatt.study.report.plot import Scale, nice_scale, spread
from peerwatt.study.results import HomeResult, MoneyFlows, StudyResult, Summary, WindowResult

UNIT = 10**6
FIGURES = ("energy", "curves", "prices", "bills", "reputation", "flows")
HOSTILE = '<script>alert("1")</script>&\'\x00\ud800'
VOID = {"meta", "br", "hr"}


def window(index: int, *, trades: bool = True) -> WindowResult:
    """A window with two bids and two offers; the second offer is rationed and delivers 100 Wh too little."""
    hour, minute = divmod(10 * 60 + 30 + 15 * index, 60)
    bids = ((100, 3_000), (60, 1_000))
    offers = ((20, 2_000), (50, 4_000)) if trades else ((200, 6_000),)
    return WindowResult(
        index=index, window=1_979_000 + index, starts_at=f"2026-10-14T{hour % 24:02}:{minute:02}:00+01:00",
        demand_wh=5_000, bids_wh=4_000, offers_wh=6_000, price_per_wh=86_500 if trades else None,
        traded_wh=4_000 if trades else 0, bought_wh=4_000 if trades else 0, sold_wh=3_999 if trades else 0,
        delivered_wh=3_899 if trades else 0, shortfall_wh=100 if trades else 0,
        rounding_wh=1 if trades else 0, bid_curve=bids, offer_curve=offers,
    )  # fmt: skip


def homes(consumers: int, prosumers: int, moved: bool) -> tuple[HomeResult, ...]:
    found = []
    for index in range(consumers + prosumers):
        kind = "consumer" if index < consumers else "prosumer"
        cost = (index + 1) * UNIT if kind == "consumer" else -(index + 1) * UNIT
        sells = moved and kind == "prosumer"
        found.append(
            HomeResult(
                id=f"{kind[0]}{index:04}", kind=kind, category="home", account="0x" + "ab" * 20,
                baseline_cost=cost, market_cost=cost - (index % 3 - 1) * 1234,
                score_before=5000.0, score_after=6000.0 + index % 9 if sells else 5000.0,
                rating="A-" if sells else "BBB+", bought_wh=0, sold_wh=2_000 if sells else 0,
                delivered_wh=1_950 if sells else 0, windows_with_order=1,
            )
        )  # fmt: skip
    return tuple(found)


def study(
    windows: int = 10,
    consumers: int = 246,
    prosumers: int = 14,
    *,
    trades: bool = True,
    currency: str = "NGN",
) -> StudyResult:
    found = tuple(window(index, trades=trades) for index in range(windows))
    people = homes(consumers, prosumers, trades)
    before, after = sum(h.baseline_cost for h in people), sum(h.market_cost for h in people)
    sold, delivered = sum(w.sold_wh for w in found), sum(w.delivered_wh for w in found)
    price, imbalance, fee = 86_500, 225_000, 8_000
    bought, short = sum(w.bought_wh for w in found), sold - delivered
    flows = MoneyFlows(
        buyers_paid=bought * (price + fee + 100), sellers_received=delivered * (price - 50),
        network_fees=bought * fee, surcharges=bought * 100, haircuts=delivered * 50,
        imbalance_paid=short * (imbalance - price), imbalance_received=short * imbalance,
        rounding=(bought - sold) * price,
    )  # fmt: skip
    summary = Summary(
        consumers=consumers, prosumers=prosumers, windows=windows, window_seconds=900, seed=7,
        scenario="clear", participant_windows=2_083, demand_wh=sum(w.demand_wh for w in found),
        traded_wh=sum(w.traded_wh for w in found), delivered_wh=delivered, shortfall_wh=short,
        rounding_wh=bought - sold, baseline_cost=before, market_cost=after, bill_reduction_pct=12.34,
        bill_reduction_consumers_pct=10.11, bill_reduction_prosumers_pct=22.22,
        reliability_pct=100 * delivered / sold if sold else 0.0, forecast_nrmse_load=0.21,
        forecast_nrmse_pv=0.17, gas_setup=48_211_333, gas_order=9_812_345, gas_clear=3_011_222,
        gas_settle=7_999_001, gas_per_participant_window=8_123.4, gas_clear_per_window=301_122.0,
        seconds_total=21.3, seconds_chain=9.8, money_residual=0, energy_residual=0, parity_ok=True, audit_ok=True,
        audit_digest="ab" * 32,
        currency=currency, token_decimals=6,
    )  # fmt: skip
    return StudyResult(
        summary=summary, windows=found, homes=people, flows=flows, floor_price=61_500, price_step=500,
        retail_prices={"Band A": 209_500, "Band B": 63_000}, feed_in_price=61_500, imbalance_price=imbalance,
        notes=("A note & more.",),
    )  # fmt: skip


def parse(page: str) -> ElementTree.Element:
    """The page as XML: everything closed, everything escaped, ids used once."""
    assert page.startswith("<!DOCTYPE html>\n")
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    return root


def words(element: ElementTree.Element | None) -> str:
    assert element is not None
    return " ".join("".join(element.itertext()).split())


def find(root: ElementTree.Element, id_: str) -> ElementTree.Element:
    return next(element for element in root.iter() if element.get("id") == id_)


def printed(result: StudyResult) -> str:
    stream = io.StringIO()
    Console(file=stream, width=110, color_system=None).print(render_summary(result))
    return stream.getvalue().replace("\u00a0", " ")


class Tags(HTMLParser):
    """The same page as an HTML parser sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.links: list[tuple[str, str | None]] = []

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(name)
        self.links += [
            (key, value) for key, value in attrs if key in ("src", "href", "xlink:href", "srcset", "style")
        ]
        self.links += [(key, value) for key, value in attrs if key.startswith("on")]
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_startendtag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(name)


@pytest.mark.parametrize(
    ("windows", "consumers", "prosumers"),
    [(10, 246, 14), (1, 1, 1), (0, 0, 0), (2, 0, 3), (3, 2, 0), (96, 1_800, 200)],
)
def test_page__any_size__well_formed_with_every_figure(windows: int, consumers: int, prosumers: int) -> None:
    result = study(windows, consumers, prosumers)
    root = parse(render_page(result))
    for key in FIGURES:
        figure = find(root, key)
        assert figure.tag == "figure"
        table = figure.find("details/div/table")
        assert table is not None and len(words(table)) > 10
    for svg in root.iter("svg"):
        title, desc = svg.find("title"), svg.find("desc")
        assert words(title) and words(desc)
        assert svg.get("role") == "img"
        assert svg.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"  # type: ignore[union-attr]
    for key in ("energy", "prices"):
        drawn = [g.get("data-window") for g in find(root, key).iter("g") if g.get("data-window")]
        assert drawn == [str(w.window) for w in result.windows]
    small = [svg.get("id") for svg in root.iter("svg") if str(svg.get("id")).startswith("curve-")]
    assert small == ([f"curve-{index}-svg" for index in range(windows)] if windows > 1 else [])


def test_page__written__one_file_that_loads_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_report(study(), path)
    page = path.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe", "image", "object", "embed", "base", "use"}
    assert all(key == "style" and value and "url" not in value for key, value in tags.links)
    assert not re.search(r"https?:|//\w|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page and "@media print" in page


def test_page__hostile_names__escaped_everywhere() -> None:
    result = study(4, 30, 3, currency=HOSTILE)
    people = tuple(
        replace(home, id=HOSTILE + str(n), category=HOSTILE) for n, home in enumerate(result.homes)
    )
    result = replace(
        result,
        summary=replace(result.summary, scenario=HOSTILE),
        homes=people,
        retail_prices={HOSTILE: 209_500},
        notes=(HOSTILE,),
        windows=tuple(replace(w, starts_at=HOSTILE) for w in result.windows),
    )
    page = render_page(result)
    page.encode("utf-8")
    root = parse(page)
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert "script" not in tags.seen and tags.open == []
    clean = HOSTILE.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    cells = [words(cell) for cell in find(root, "bills").iter("th") if cell.get("scope") == "row"]
    assert sorted(cells) == sorted(["All", *(clean + str(n) for n in range(33))])
    assert clean in words(root.find("body/footer"))


def test_page__totals__equal_the_data() -> None:
    result = study()
    root, summary, money = parse(render_page(result)), result.summary, Money("NGN", 6)
    feet = {key: [cell for foot in find(root, key).iter("tfoot") for cell in foot.iter()] for key in FIGURES}
    total = {key: [words(cell) for cell in cells if cell.tag in ("th", "td")] for key, cells in feet.items()}
    assert total["energy"] == [
        "All", "50.000", "40.000", "60.000", "40.000", "40.000", "39.990", "38.990", "1.000", "10"
    ]  # fmt: skip
    assert total["bills"][3:6] == [
        money.number(summary.baseline_cost), money.number(summary.market_cost),
        money.number(summary.baseline_cost - summary.market_cost),
    ]  # fmt: skip
    assert total["flows"] == ["Left over", "paid in less paid out", "0.00", "0.00 %", "0"]
    rows = [[words(cell) for cell in row] for row in find(root, "flows").iter("tr")][1:-1]
    amounts = [int(row[-1].replace(",", "")) for row in rows]
    assert sum(amounts[:2]) == sum(amounts[2:]) == paid_in(result.flows) == 40_000 * 94_600 + 1_000 * 138_500
    header = words(root.find("body/header"))
    for said in ("246 consumers and 14 prosumers trade for 150 minutes", "12.3 %", "consumers 10.1 %",
                 "prosumers 22.2 %", "40.00 kWh", "38.99 kWh delivered", "86.5 NGN/kWh", "97.5 %",
                 "8,123 gas", "301,122 gas"):  # fmt: skip
        assert said in header


def test_energy__bars__as_high_as_the_data() -> None:
    svg = find(parse(render_page(study(2))), "energy-svg")
    heights = {key: [float(r.get("height", "")) for r in svg.iter("rect") if r.get("class") == key]
               for key in ("delivered", "short", "unsold")}  # fmt: skip
    per_kwh = heights["delivered"][0] / 3.899
    assert per_kwh == pytest.approx(300 / 6, abs=0.1)
    assert heights["short"] == pytest.approx([0.1 * per_kwh] * 2, abs=0.11)
    assert heights["unsold"] == pytest.approx([2.001 * per_kwh] * 2, abs=0.11)


def test_flows__ribbons__one_for_each_use_of_the_money() -> None:
    root = parse(render_page(study()))
    ribbons = [
        path.get("class") for path in find(root, "flows").iter("path") if "ribbon" in str(path.get("class"))
    ]
    uses = ("sellers", "network", "shortfall", "shortfall", "surcharge", "haircut", "rounding")
    assert ribbons == [f"ribbon {key}" for key in uses]
    assert "left over 0 base units." in words(find(root, "flows"))


def test_checks__one_unit_lost__said_in_page_and_terminal() -> None:
    result = study()
    assert printed(result).count("ok  ") == 4 and "NO  " not in printed(result)
    broken = replace(
        result,
        summary=replace(result.summary, parity_ok=False, audit_ok=False, money_residual=-1, energy_residual=2),
        flows=replace(result.flows, buyers_paid=result.flows.buyers_paid - 1),
    )
    assert left_over(result.flows) == 0 and left_over(broken.flows) == -1
    page = words(parse(render_page(broken)).find("body"))
    assert "left over \u22121 base units: the books do not add up." in page
    for text in (page, " ".join(printed(broken).split())):
        for said in (
            "The chain differs from the reference",
            "The audit of the chain does not hold",
            "Money does not add up",
            "Energy does not add up",
        ):
            assert said in text
    assert "-1 base units" in printed(broken)


def test_page__no_trade__says_so_and_draws_no_clearing_point() -> None:
    result = study(3, 20, 3, trades=False)
    page = render_page(result)
    root = parse(page)
    assert 'class="dot' not in page
    assert words(find(root, "flows")).count("No money moved") == 2
    assert "so there is no price" in words(find(root, "prices"))
    assert [words(t) for t in find(root, "prices").iter("text")].count("no trade") == 3
    assert "No score moved" in words(find(root, "reputation"))
    assert "no trade" in printed(result)


def test_curves__clearing_point__lies_at_the_window_price_and_energy() -> None:
    root = parse(render_page(study(1)))
    svg = find(root, "curves-svg")
    dot = next(svg.iter("circle"))
    # Offers reach 6 kWh and prices run from 71.5 (level 20) to 111.5 (level 100): axes 0..6 and 70..115.
    assert float(dot.get("cx", "")) == pytest.approx(58 + (960 - 20 - 58) * 4 / 6, abs=0.1)
    ticks = [
        float(words(t))
        for t in svg.iter("text")
        if t.get("class") == "tick" and t.get("text-anchor") == "end"
    ]
    low, high = min(ticks), max(ticks)
    assert low <= 71.5 and high >= 111.5
    assert float(dot.get("cy", "")) == pytest.approx(34 + 330 * (high - 86.5) / (high - low), abs=0.1)
    assert "86.5 NGN/kWh, 4.00 kWh" in words(svg)


def test_summary__many_windows__beginning_end_and_totals() -> None:
    text = printed(study(96, 50, 5))
    assert "76 more windows are in the report" in text
    assert re.search(
        r"^\s*All\s+384\.00\s+576\.00\s+86\.5\s+384\.00\s+374\.30\s+9\.60\s*$", text, re.MULTILINE
    )
    assert len(re.findall(r"^\s*\d\d:\d\d ", text, re.MULTILINE)) == 20


def test_summary__markup_in_names__printed_as_it_is() -> None:
    result = study(2, 3, 1)
    text = printed(
        replace(
            result, summary=replace(result.summary, scenario="[red]x[/red]"), notes=("[bold]note[/bold]",)
        )
    )
    assert "scenario [red]x[/red]" in text and "[bold]note[/bold]" in text


def test_amounts__decimals__exact() -> None:
    assert Money("NGN", 6).price(86_500) == "86.5\u00a0NGN/kWh"
    assert Money("NGN", 18).price(118_250 * 10**12) == "118.25\u00a0NGN/kWh"
    assert Money("X", 0).price_number(2) == "2,000.0"
    assert Money("NGN", 6).amount(-1_234_567_890) == "\u22121,234.57\u00a0NGN"
    assert Money("NGN", 18).amount(10**40) == "10,000,000,000,000,000,000,000.00\u00a0NGN"
    assert (grouped(-0.001, 2), grouped(float("nan"))) == ("0.00", "\u2013")
    assert (kwh(0), kwh(999), kwh(27_490), kwh(123_456)) == (
        "0\u00a0kWh", "0.999\u00a0kWh", "27.49\u00a0kWh", "123.5\u00a0kWh"
    )  # fmt: skip
    assert (share(1, 10**6), share(1, 0), share(1, 8)) == ("under 0.1\u00a0%", "\u2013", "12.5\u00a0%")


def test_markup__attributes_and_children__escaped_unless_markup() -> None:
    assert tag("a", "<&", title='"x"', class_="k", x=1.25, y=None) == (
        '<a title="&quot;x&quot;" class="k" x="1.2">&lt;&amp;</a>'
    )
    assert tag("b", tag("rect", x=-0.01), ["1", "2"], None, 3) == '<b><rect x="0"/>123</b>'
    assert escape("\x07'") == "\ufffd&#39;"
    with pytest.raises(ValueError, match="coordinate is nan"):
        coordinate(float("nan"))


def test_spread__crowded_labels__apart_and_inside() -> None:
    assert spread([10, 100], 20, 0, 200) == [10, 100]
    assert spread([100, 99, 98], 20, 0, 110) == [110, 90, 70]
    crowd = sorted(spread([5.0] * 30, 18, 0, 290))
    assert crowd[0] >= 0 and crowd[-1] <= 290
    assert all(b - a == pytest.approx(10) for a, b in pairwise(crowd))


def test_scale__any_values__covers_them_with_round_ticks() -> None:
    for values in ([0.0], [], [5.0, 5.0], [-3.0, 12.0], [1e-3], [123456.0]):
        scale = nice_scale(values, 300, 0)
        assert scale.low <= min([*values, 0]) and scale.high >= max([*values, 0]) and scale.high > scale.low
        assert 2 <= len(scale.ticks()) <= 12
    assert Scale(0, 10, 100, 0)(2.5) == 75
