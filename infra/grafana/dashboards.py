"""Panels as Grafana's own JSON."""

import json

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from infra.grafana.panels import BOARDS, Board, Panel

SOURCE = "prometheus"  # the uid in provisioning/datasources
_WIDTH = 24
_HEIGHT = 8
_A_ROW = 3


def dashboards() -> dict[str, str]:
    """Every dashboard by the name of its file."""
    return {f"{board.uid}.json": _json(board) for board in BOARDS}


def _json(board: Board) -> str:
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .tags(["postbus"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .readonly()
    )
    for headline, panels in board.rows.items():
        built = built.with_row(dashboard.Row(headline))
        for panel in panels:
            built = built.with_panel(_panel(panel))
    return json.dumps(built.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _panel(panel: Panel) -> timeseries.Panel:
    source = DataSourceRef(type_val="prometheus", uid=SOURCE)
    built = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.says)
        .unit(panel.unit)
        .min(0)
        .datasource(source)
        .height(_HEIGHT)
        .span(_WIDTH // _A_ROW)
    )
    for number, (expression, legend) in enumerate(panel.queries):
        built = built.with_target(
            prometheus.Dataquery()
            .expr(expression)
            .legend_format(legend)
            .ref_id(chr(ord("A") + number))
            .datasource(source)
        )
    return built
