"""What a resource's properties will be in the template, overrides included, which the CDK tells nobody before synth."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jsii

if TYPE_CHECKING:
    from collections.abc import Iterable

    from constructs import IConstruct

_MODULE = "cdk-breakwater-rendered"
_VERSION = "1.0.0"
_CLASS = f"{_MODULE}.Rendered"

# A twin of the resource renders the properties asked for, with the CDK's own code. Every other one is a placeholder:
# rendered, it says which property an attribute becomes; and no lazy value is read that nobody asked for, since the CDK
# keeps what a lazy value was when it was first read.
_CODE = """
const INVOKES = /^(lambda:(invoke.*|[*])|[*])$/i;
// A CfnResource that has no class of its own has CloudFormation's names.
const read = (properties, name) => properties?.[name] ?? properties?.[name[0].toUpperCase() + name.slice(1)];
const allowed = (holder) => {
  const given = read(holder, "policyDocument");
  const document = given?.toJSON ? given.toJSON() : given;
  return [document?.Statement ?? []]
    .flat()
    .filter((each) => each?.Effect === "Allow" && [each.Action].flat().some((action) => INVOKES.test(action)))
    .flatMap(({ Resource }) => Resource ?? []);
};
const functionOf = (properties) => read(properties, "functionName") ?? [];
const FUNCTIONS = {
  "AWS::IAM::ManagedPolicy": allowed,
  "AWS::IAM::Policy": allowed,
  "AWS::IAM::Role": (properties) => [read(properties, "policies") ?? []].flat().flatMap(allowed),
  "AWS::Lambda::Alias": functionOf,
  "AWS::Lambda::EventSourceMapping": functionOf,
  "AWS::Lambda::Permission": functionOf,
  "AWS::Lambda::Url": (properties) => read(properties, "targetFunctionArn") ?? [],
  "AWS::Lambda::Version": functionOf,
};

exports.Rendered = class Rendered {
  static environment(resource) {
    const given = resource.cfnProperties.environment;
    // Its own lazy value alone: the CDK keeps what those in it were when they were first read.
    const value = given?.resolve ? given.resolve({}) : given;
    return value?.variables ?? {};
  }

  static all(root, type, names, skipped) {
    const paths = new Set(skipped);
    return root.node
      .findAll()
      .filter((construct) => construct.cfnResourceType === type && !paths.has(construct.node.path))
      .map((resource) => ({ resource, properties: Rendered.of(resource, names) }));
  }

  static functions(root) {
    return root.node.findAll().flatMap((resource) => {
      const values = [FUNCTIONS[resource.cfnResourceType]?.(resource.cfnProperties) ?? []].flat();
      if (!values.length) return [];
      const { stack } = resource;
      return [{ resource, id: stack.resolve(resource.logicalId), values, text: JSON.stringify(stack.resolve(values)) }];
    });
  }

  static of(resource, names) {
    const given = Object.entries(resource.cfnProperties).filter(([, value]) => value !== undefined);
    const placeholders = Object.fromEntries(given.map(([key]) => [key, { Ref: key }]));
    const places = resource.renderProperties(placeholders);
    const wanted = new Set(names.map((name) => places[name]?.Ref));
    const properties = Object.fromEntries(
      given.map(([key, value]) => [key, wanted.has(key) ? resource.stack.resolve(value) : placeholders[key]]),
    );
    const twin = Object.create(resource, {
      cfnProperties: { value: properties },
      cfnOptions: { value: {} },
      dependsOn: { value: new Set() },
    });
    const { Resources = {} } = resource.stack.resolve(twin._toCloudFormation());
    const rendered = Object.values(Resources)[0]?.Properties ?? {};
    return Object.fromEntries(names.filter((name) => name in rendered).map((name) => [name, rendered[name]]));
  }
};
"""
_METHODS = {
    "all": ("root", "type", "names", "skipped"),
    "environment": ("resource",),
    "functions": ("root",),
    "of": ("resource", "names"),
}
_ASSEMBLY = {
    "schema": "jsii/0.10.0",
    "jsiiVersion": "5.0.0",
    "name": _MODULE,
    "version": _VERSION,
    "description": "Reads a resource as it will be rendered.",
    "license": "MIT",
    "author": {"name": "cdk-breakwater", "roles": ["author"]},
    "homepage": "https://pypi.org/project/cdk-breakwater/",
    "repository": {"type": "git", "url": "https://pypi.org/project/cdk-breakwater/"},
    "fingerprint": "*",
    "types": {
        _CLASS: {
            "assembly": _MODULE,
            "fqn": _CLASS,
            "kind": "class",
            "name": "Rendered",
            "methods": [
                {
                    "name": name,
                    "static": True,
                    "parameters": [{"name": parameter, "type": {"primitive": "any"}} for parameter in parameters],
                    "returns": {"type": {"primitive": "any"}},
                }
                for name, parameters in _METHODS.items()
            ],
        }
    },
}


def rendered(resource: IConstruct, *names: str) -> dict[str, Any]:
    """Return properties of a resource as the template will have them.

    Overrides are private in the CDK (`addOverride` has no counterpart that reads), so a few lines of JavaScript beside
    it ask the resource itself.

    Parameters
    ----------
    resource
        An L1 construct.
    names
        Properties, as CloudFormation calls them.

    Returns
    -------
    dict
        Those that the template will have; a value of CloudFormation's own functions as a dict.
    """
    return jsii.sinvoke(_rendered_class(), "of", [resource, list(names)])


def rendered_number(resource: IConstruct, name: str, default: int | None = None) -> int | None:
    """Return a whole number as the template will have it; the default where it has none, and None for a token.

    Parameters
    ----------
    resource, name
        As for `rendered`.
    default
        What CloudFormation takes where the property is left out.
    """
    value = rendered(resource, name).get(name, default)
    return int(value) if isinstance(value, (int, float)) else None


def rendered_resources(
    root: IConstruct, type_: str, *names: str, skipped: Iterable[str] = ()
) -> list[tuple[Any, dict[str, Any]]]:
    """Return the resources of a type beneath a construct, each with properties as the template will have them.

    Parameters
    ----------
    root
        Where to look.
    type_
        As CloudFormation calls it.
    names
        As for `rendered`.
    skipped
        Paths of L1 constructs that are left out, unread.
    """
    found = jsii.sinvoke(_rendered_class(), "all", [root, type_, list(names), list(skipped)])
    return [(each["resource"], each["properties"]) for each in found]


def environment_variables(resource: IConstruct | None) -> dict[str, str]:
    """Return the environment variables of a `CfnFunction` as they are so far, tokens unresolved.

    Parameters
    ----------
    resource
        The L1 construct.
    """
    return jsii.sinvoke(_rendered_class(), "environment", [resource])


class FunctionUse(NamedTuple):
    """A resource that names functions: it invokes them, allows that, or is an alias or a version.

    Attributes
    ----------
    resource
        The L1 construct.
    id
        Its logical id.
    values
        The functions' names or ARNs, tokens unresolved.
    text
        The same as the template has them.
    """

    resource: Any
    id: str
    values: list[Any]
    text: str


def function_uses(root: IConstruct) -> list[FunctionUse]:
    """Return the mappings, permissions, function URLs and rights to invoke beneath a construct, aliases and versions.

    Parameters
    ----------
    root
        Where to look.
    """
    return [FunctionUse(**found) for found in jsii.sinvoke(_rendered_class(), "functions", [root])]


@cache
def _rendered_class() -> type:
    # jsii loads a module from a tarball of npm.
    files = {
        "package.json": json.dumps({"name": _MODULE, "version": _VERSION, "main": "index.js"}),
        ".jsii": json.dumps(_ASSEMBLY),
        "index.js": _CODE,
    }
    with tempfile.TemporaryDirectory() as folder:
        tarball = Path(folder) / "module.tgz"
        with tarfile.open(tarball, "w:gz") as archive:
            for name, text in files.items():
                entry = tarfile.TarInfo(f"package/{name}")
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        jsii.kernel.load(_MODULE, _VERSION, str(tarball))
    return jsii.JSIIMeta("Rendered", (), {}, jsii_type=_CLASS)
