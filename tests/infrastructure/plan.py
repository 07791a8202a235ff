"""What both deployment methods would create, without installing packages."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from chalice.config import Config
from chalice.deploy import models
from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.deployer import InjectDefaults, PolicyGenerator, SwaggerBuilder
from chalice.deploy.swagger import CFNSwaggerGenerator
from chalice.package import SAMTemplateGenerator
from chalice.policy import AppPolicyGenerator
from chalice.utils import OSUtils

import app
from infrastructure import gateway, parameters, template
from infrastructure.config import DATA_API_VARIABLES, PROXY_VARIABLES
from infrastructure.parameters import FROM_DATABASE, FROM_PROXY
from infrastructure.stages import ROOT, Stage


class Plan:
    """What both deployment methods would create from a stage's configuration."""

    def __init__(self, config: dict[str, Any], stage: Stage, project: Path = ROOT) -> None:
        built = Config(
            stage.name, user_provided_params={"chalice_app": app.app}, config_from_disk=config
        )
        built._default_params = {"project_dir": str(project)}
        resources = _resources(built, stage)
        self.functions = [each for each in resources if isinstance(each, models.LambdaFunction)]
        (self.api,) = [each for each in resources if isinstance(each, models.RestAPI)]
        packaged = SAMTemplateGenerator(built, Mock(service_principal=str)).generate(resources)
        self.document = template.complete(packaged, stage, gateway.document(stage))
        self.template = self.document["Resources"]
        outputs = dict.fromkeys((*FROM_DATABASE, *FROM_PROXY, "KeyArn"), "")
        self.parameters = parameters.api(stage, _without_bound(config, stage), outputs, outputs)

    def by_chalice(self, name: str) -> set[Any]:
        return {json.dumps(getattr(each, name)) for each in self.functions}

    def by_deploy(self, name: str) -> set[Any]:
        ids = [function.id for function in template.FUNCTIONS.values()]
        return {json.dumps(self.template[each]["Properties"][name]) for each in ids}


def _without_bound(config: dict[str, Any], stage: Stage) -> dict[str, Any]:
    """Return the configuration before `bind`, with which `deploy` works."""
    own = deepcopy(config)
    for function in own["stages"][stage.name].get("lambda_functions", {}).values():
        for name in (*DATA_API_VARIABLES, *PROXY_VARIABLES, "CURSOR_KEY", "EVENT_BUS"):
            function.get("environment_variables", {}).pop(name, None)
    return own


def _resources(built: Config, stage: Stage) -> list[Any]:
    """Return what Chalice plans, as in its own build, without installing the requirements."""
    application = ApplicationGraphBuilder().build(built, stage.name)
    builder = DependencyBuilder()
    steps = [
        InjectDefaults(),
        PolicyGenerator(AppPolicyGenerator(OSUtils()), OSUtils()),
        SwaggerBuilder(CFNSwaggerGenerator()),
    ]
    resources = builder.build_dependencies(application)
    for resource in resources:
        for step in steps:
            step.handle(built, resource)
        if isinstance(resource, models.DeploymentPackage):
            resource.filename = "deployment.zip"
    return list(resources)
