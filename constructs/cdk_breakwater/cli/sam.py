"""SAM templates, expanded by AWS's own translator as CloudFormation does it at deployment."""

from __future__ import annotations

import copy
import logging
import os
from typing import TYPE_CHECKING, Any

from ..checks import without_loops
from .template_file import UnreadableTemplateError, read_template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TRANSFORM = "AWS::Serverless-2016-10-31"
# What `sam package` uploads, the translator wants to find in S3.
_UPLOADED = "s3://uploaded-by/sam-package"
_IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/built-by:sam-build"
_DEFINITION: dict[str, Any] = {"openapi": "3.0.1", "paths": {}}
_PATHS = {
    "AWS::Serverless::Function": ("CodeUri",),
    "AWS::Serverless::LayerVersion": ("ContentUri",),
    "AWS::Serverless::Api": ("DefinitionUri",),
    "AWS::Serverless::HttpApi": ("DefinitionUri",),
    "AWS::Serverless::StateMachine": ("DefinitionUri",),
    "AWS::Serverless::GraphQLApi": ("SchemaUri",),
}


def is_sam(body: Mapping[str, Any]) -> bool:
    """Tell whether a template asks for SAM's transform."""
    transforms = body.get("Transform")
    return _TRANSFORM in (transforms if isinstance(transforms, list) else [transforms])


def expand(body: Mapping[str, Any], parameters: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Give the CloudFormation template that SAM makes of one; the definitions of state machines lie beneath its folder.

    Raises
    ------
    UnreadableTemplateError
        The translator refuses it; the message is the translator's.
    """
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
    from samtranslator.translator.transform import transform

    class NoAccount(ManagedPolicyLoader):
        """The names of AWS's policies that come with the translator, and no call to IAM for more."""

        def load(self) -> dict[str, str]:
            return {}

    # Without an AWS profile the translator would look in vain for a Region, which decides the ARNs' partition alone.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    # It logs its own affairs as warnings.
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    # CloudFormation applies the transforms of a template in this order: what is included, loops, SAM.
    included = _included(copy.deepcopy(dict(body)), folder)
    prepared = _uploaded(without_loops(included, parameters), folder)
    try:
        return transform(prepared, dict(parameters), NoAccount(None))  # type: ignore[arg-type]
    except InvalidDocumentException as error:
        causes = "; ".join(str(getattr(cause, "message", cause)) for cause in error.causes)
        raise UnreadableTemplateError(f"SAM refuses it: {causes}") from error
    except Exception as error:  # the translator's own defects on odd templates
        raise UnreadableTemplateError(f"SAM's translator failed ({type(error).__name__}: {error})") from error


def _included(value: Any, folder: Path) -> Any:
    """Put the file in its place where ``AWS::Include`` names one of this machine, as before packaging."""
    if isinstance(value, list):
        return [_included(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: _included(inner, folder) for name, inner in value.items()}
    match found.get("Fn::Transform"):
        case {"Name": "AWS::Include", "Parameters": {"Location": str(location)}} if "://" not in location:
            try:
                included = read_template(folder / location).body
            except UnreadableTemplateError:
                return found
            del found["Fn::Transform"]
            return {**included, **found}
    return found


def _uploaded(body: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Put an S3 URI where a path of this machine stands, as ``sam package`` does."""
    shared: Any = body.get("Globals")
    function: dict[str, Any] = {}
    if isinstance(shared, dict) and isinstance(shared.get("Function"), dict):
        function = shared["Function"]
    if isinstance(function.get("CodeUri"), str):
        function["CodeUri"] = _UPLOADED
    resources = body.get("Resources")
    for resource in resources.values() if isinstance(resources, dict) else ():
        if not isinstance(resource, dict):
            continue
        properties = resource.get("Properties")
        if not isinstance(properties, dict):
            properties = resource["Properties"] = dict[str, Any]()
        if resource.get("Type") == "AWS::Serverless::StateMachine":
            _give_definition(properties, folder)
        if resource.get("Type") == "AWS::Serverless::Application":
            # The translator would ask the Serverless Application Repository for one that is there.
            resource["Type"] = "AWS::CloudFormation::Stack"
            location = properties.get("Location")
            resource["Properties"] = {"TemplateURL": location} if isinstance(location, str) else {}
        definition = properties.get("DefinitionBody")
        if isinstance(definition, dict) and "Fn::Transform" in definition:
            # The translator wants a definition nevertheless; what stays beside it says that there is more.
            properties["DefinitionBody"] = {**_DEFINITION, **definition}
        for name in _PATHS.get(str(resource.get("Type")), ()):
            if isinstance(properties.get(name), str) and not properties[name].startswith("s3://"):
                properties[name] = _UPLOADED
        if resource.get("Type") == "AWS::Serverless::Function":
            _give_code(properties, function)
    return body


def _give_code(properties: dict[str, Any], shared: Mapping[str, Any]) -> None:
    if "Image" in (properties.get("PackageType"), shared.get("PackageType")):
        if not isinstance(properties.get("ImageUri"), dict):
            properties["ImageUri"] = _IMAGE
    elif not any(name in part for name in ("CodeUri", "InlineCode") for part in (properties, shared)):
        properties["CodeUri"] = _UPLOADED


def _give_definition(properties: dict[str, Any], folder: Path) -> None:
    """Write out a state machine whose definition is a file, as the translator would not look for it."""
    uri = properties.get("DefinitionUri")
    if isinstance(uri, str) and "://" not in uri:
        try:
            properties["Definition"] = read_template(folder / uri).body
        except UnreadableTemplateError:
            return
        del properties["DefinitionUri"]
