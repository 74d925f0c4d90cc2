"""The floors of the program, which the imports obey and docs/architecture.md draws."""

# Each floor imports the floors before it, and nothing of its own. A module of cotpd's root counts as a package.
FLOORS = [
    ["cotpd.passwords"],
    [
        "cotpd.errors",
        "cotpd.completions",
        "cotpd.counts",
        "cotpd.environment",
        "cotpd.liveness",
        "cotpd.section",
        "cotpd.shipped_files",
    ],
    [
        "cotpd.devices",
        "cotpd.escaping",
        "cotpd.extras",
        "cotpd.service_errors",
        "cotpd.storage",
        "cotpd.yaml_files",
    ],
    [
        "cotpd.code_record",
        "cotpd.files",
        "cotpd.interrupts",
        "cotpd.outputs",
        "cotpd.parameter_file",
        "cotpd.progress",
        "cotpd.startup",
    ],
    ["cotpd.data", "cotpd.engine", "cotpd.source_commit"],
    ["cotpd.annotation", "cotpd.expectations", "cotpd.weights"],
    ["cotpd.llm"],
    ["cotpd.augment", "cotpd.images"],
    ["cotpd.knowledge", "cotpd.registry"],
    ["cotpd.student"],
    ["cotpd.evaluation", "cotpd.extraction", "cotpd.inference"],
    ["cotpd.export", "cotpd.promotion", "cotpd.report", "cotpd.scoring", "cotpd.serving"],
    ["cotpd.monitoring"],
    ["cotpd.config"],  # gathers the sections of every package below
    ["cotpd.pipeline"],
    ["cotpd.doctor", "cotpd.scaffold", "cotpd.studies"],
    ["cotpd.cli"],
    ["cotpd.__main__", "steps"],
    ["flows"],
]
FLOOR_OF: dict[str, int] = {}
for _number, _floor in enumerate(FLOORS):
    FLOOR_OF |= dict.fromkeys(_floor, _number)
