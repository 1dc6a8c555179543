"""The end user's id, and upper and lower case in what the user says, do not matter."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.keyer import Assignment, Change_Remove, Change_Replace, Decision_Cache, Edit, Recipe
from wit_world.exports.plugin import Descriptor
from wit_world.imports.http_request import Request, Role

SCHEMA = {
    "type": "object",
    "properties": {
        "drop": {"type": "string", "description": "JSON pointer to the field that does not matter."},
        "fold_case": {
            "type": "boolean",
            "description": "Whether upper and lower case do not matter in what the user says.",
        },
    },
    "additionalProperties": False,
}

TYPES = {"drop": str, "fold_case": bool}

settings = {"drop": "/user", "fold_case": True}


class Plugin(exports.Plugin):
    def describe(self) -> Descriptor:
        return Descriptor(
            name="keyer-python",
            version="0.1.0",
            summary="The end user's id, and upper and lower case in what the user says, do not matter",
            config_schema=json.dumps(SCHEMA),
        )

    def configure(self, config: str) -> None:
        for name, value in json.loads(config).items():
            if name not in TYPES:
                raise Err(f"unknown setting `{name}`")
            if not isinstance(value, TYPES[name]):
                raise Err(f"`{name}` must be a {SCHEMA['properties'][name]['type']}")
            settings[name] = value


class Keyer(exports.Keyer):
    def decide(self, request: Request) -> Decision_Cache:
        edits = []
        if request.get(settings["drop"]) is not None:
            edits.append(Edit("drop", Change_Remove(settings["drop"])))
        if settings["fold_case"]:
            for text in request.texts(Role.USER):
                folded = text.content.lower()
                if folded != text.content:
                    change = Change_Replace(Assignment(text.pointer, json.dumps(folded)))
                    edits.append(Edit("case", change))
        return Decision_Cache(Recipe(edits, None, None, []))
