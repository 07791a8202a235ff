"""The commands, in the order of a stage's life cycle."""

import json
from collections.abc import Mapping
from pathlib import Path

from infrastructure import (
    applying,
    audit,
    binding,
    checking,
    costs,
    databases,
    drift,
    interpreters,
    packaging,
    parameters,
    releases,
    restoring,
    smoke,
)
from infrastructure.changes import Template
from infrastructure.clusters import REPLACED, RESTORED, Backup
from infrastructure.config import read_config, variables
from infrastructure.failures import Failure
from infrastructure.run import Run
from infrastructure.stages import CONFIG, PYTHON, ROOT, RUNTIME, suggest

HERE = Path(__file__).parent
OUT = ROOT / "out"
PIPELINE = "customers-pipeline"
PROVISIONED = ("network", "database", "audit", "bus", "operations", "dashboard")
PARTS = (*PROVISIONED, "domain", "api")
# in this order
DELETED = ("dashboard", "operations", "api", "bus", "domain", "database", "network")


def check(run: Run) -> None:
    """Check what AWS or the issuer would reject, and change nothing."""
    checking.require(run, checking.ALL)
    run.say(f"{run.stage.name}: all prerequisites are met")


def provision(run: Run) -> None:
    """Create or update all stacks of the stage except the API.

    The operations stack precedes the functions that it watches. Their names are known, so the first
    deployment already has its access log, and alarms that can stop its canary.
    """
    checking.require(run, checking.BEFORE_PROVISION)
    for finding in checking.find(run, checking.BEFORE_DEPLOY):
        run.say(f"- Before `deploy`: {finding}")
    run.say(
        f"{run.stage.name}: Aurora's capacity costs at most about"
        f" {costs.ceiling(run.stage):,.0f} US dollars a month ({run.stage.max_capacity:g} ACU on"
        f" {run.stage.instances} instances); max_capacity in infrastructure/stages.py limits it"
    )
    client = run.session.client("cloudformation")
    parts = [part for part in PARTS if part not in {"api", *_unused(run)}]
    templates = {part: _template(run, part) for part in parts}
    declared = {part: template.parameters(client) for part, template in templates.items()}
    for name in run.values:
        names = {name for names in declared.values() for name in names}
        if name not in names:
            raise Failure(f"No template has the parameter {name!r}. {suggest(name, names)}")

    def update(part: str, values: Mapping[str, str]) -> None:
        overrides = {name: value for name, value in run.values.items() if name in declared[part]}
        run.stack(part).update(templates[part], {**values, **overrides}, run.confirm)

    update("network", parameters.network(run.stage))
    update("database", parameters.database(run.stage, run.outputs("network")))
    update("audit", parameters.audit(run.stage))
    if run.stage.has_events:
        update("bus", parameters.bus(run.stage))
    update("operations", parameters.operations(run.stage, run.outputs("database")))
    outputs = run.outputs("database"), run.outputs("operations")
    update("dashboard", parameters.dashboard(run.stage, *outputs))
    if domain := run.stage.domain:
        update("domain", parameters.domain(domain))
        if not domain.hosted_zone:
            target = run.outputs("domain")["Target"]
            run.say(f"Create a DNS record for {domain.name}: CNAME {target}")


def bind(run: Run) -> None:
    """Write the stacks' outputs to where plain `chalice deploy` reads them."""
    _refuse_both(run, is_chalice=True)
    _refuse_limits(run)
    _refuse_other_python()
    parameters.check_tokens(variables(read_config(), run.stage))
    checking.require(run, (checking.check_proxy,))
    out, outputs = _packaged(run), _outputs(run)
    secrets, client = run.session.client("secretsmanager"), run.session.client("lambda")
    key = binding.cursor_key(secrets, outputs["CursorKeySecretArn"])
    layers = {
        name: binding.publish_layer(
            client, f"customers-{run.stage.name}-{name}", out / f"{name}.zip", run.say
        )
        for name in binding.LAYERS
    }
    binding.write_bound(CONFIG, run.stage, outputs, key, layers)
    run.say(
        f"{CONFIG} now contains the key that signs cursors, readable only for you: don't commit it"
    )


def migrate(run: Run) -> None:
    """Create the database's users, and apply the pending migrations."""
    databases.migrate(run.session, restoring.outputs(run), run.say)


def rotate(run: Run) -> None:
    """Change the application's password without an outage."""
    databases.rotate(run.session, restoring.outputs(run), run.say)


def finish(run: Run) -> None:
    """Complete the data steps of the migrations, after the previous code has ended."""
    databases.finish(restoring.outputs(run), run.say)


def package(run: Run) -> None:
    """Build the package."""
    out = _packaged(run)
    for path in sorted(out.iterdir()):
        run.say(f"  {path.stat().st_size / 1e6:6.2f} MB  {path}")


def deploy(run: Run) -> None:
    """Package, upload, and update the API's stack."""
    _refuse_both(run, is_chalice=False)
    checking.require(run, checking.BEFORE_DEPLOY)
    if run.stage.domain:
        run.outputs("domain")  # fails if the domain, to which the API belongs, does not exist
    bucket = run.bucket or _bucket(run)
    outputs = _outputs(run), run.outputs("operations")
    values = {**parameters.api(run.stage, read_config(), *outputs), **run.values}
    parameters.check_tokens(parameters.environ(values))
    out = _packaged(run)
    values["Release"] = releases.release(out, values)
    template = releases.upload(run.session.client("s3"), bucket, out, run.say)
    stack, client = run.stack("api"), run.session.client("lambda")
    previous = releases.live_versions(client, run.stage.lambda_names)
    # If the operator declines, the aliases keep their versions, which may be those of a rollback.
    if stack.update(template, values, run.confirm):
        releases.catch_up(client, stack, run.say)
        releases.remember(client, previous)
        run.say(f"{run.stage.name} is at {stack.outputs()['EndpointURL']}")


def apply(run: Run) -> None:
    """Apply the gateway document, and the audit trail, to what `chalice deploy` created."""
    document = json.loads((_packaged(run) / "gateway.json").read_text())
    api = _deployed(run).get("rest_api", {}).get("rest_api_id")
    if not api:
        raise Failure(
            f"`chalice deploy --stage {run.stage.name}` has deployed nothing from this checkout:"
            " run it first. (A stage created by `deploy` already has these settings.)"
        )
    _refuse_other_runtime(run)
    log = run.outputs("operations")["AccessLogGroupArn"]
    gateway = applying.Gateway(run.session.client("apigateway"), api, run.say)
    applying.apply(gateway, run.stage.name, document, log)
    audit.subscribe(run.session.client("logs"), run.stage, run.outputs("audit"), run.say)


def live(run: Run) -> None:
    """Run the smoke test against the stage."""
    token = run.token()
    address = run.url or _address(run)
    run.say(f"smoke test of {address}")
    smoke.run(address, token, run.say, run.certificate)


def status(run: Run) -> None:
    """Print the state of the stacks, and the live versions."""
    for part in _parts(run):
        stack = run.stack(part)
        state = stack.status
        run.say(f"{stack.name:32} {state or 'none'}")
        if state and ("ROLLBACK" in state or "FAILED" in state):
            run.say(f"  {stack.reason()}")
        if state and run.looks_for_drift:
            for line in drift.find(run.session.client("cloudformation"), stack.name):
                run.say(f"  {line}")
    if run.stack("api").status:
        client = run.session.client("lambda")
        for function in run.stage.lambda_names:
            run.say(f"{function}: version {releases.live_version(client, function)} is live")
        run.say(run.outputs("api")["EndpointURL"])
    elif _deployed(run):
        run.say(f"{_address(run)} (by `chalice deploy`)")


def rollback(run: Run) -> None:
    """Roll back: make the previous version live."""
    run.outputs("api")  # fails if the stage was not deployed with `deploy`
    if run.confirm([]):
        client = run.session.client("lambda")
        releases.roll_back(client, run.stack("api"), run.stage.lambda_names, run.say)


def restore(run: Run) -> None:
    """Restore the database from a backup beside the current one, or switch to it."""
    if run.incoming:
        restoring.switch(run, run.incoming)
    else:
        restoring.restore(run, Backup.parse(run.to, run.snapshot))


def destroy(run: Run) -> None:
    """Delete a stage's stacks except the audit trail. A final snapshot of the database remains."""
    if _deployed(run):
        name = run.stage.name
        raise Failure(f"Chalice manages this API: run `chalice delete --stage {name}` first.")
    warning = f"This deletes the stage {run.stage.name}. A final snapshot of its database remains."
    if (run.stage.is_protected or not run.is_agreed) and not run.confirm_by_name(warning):
        run.say("nothing was deleted")
        return
    _refuse_remaining(run)
    parts = _parts(run)
    for part in (part for part in DELETED if part in parts):
        run.stack(part).delete()
    run.say(f"The audit trail remains, in the stack {run.stage.stack('audit')}.")


def _parts(run: Run) -> list[str]:
    """Return the parts of the stage. It may still have stacks of parts that it uses no more."""
    return [part for part in PARTS if part not in _unused(run) or run.stack(part).exists]


def _unused(run: Run) -> set[str]:
    """Return the parts that the stage does not use."""
    used = {"domain": bool(run.stage.domain), "bus": run.stage.has_events}
    return {part for part, is_used in used.items() if not is_used}


def _bucket(run: Run) -> str:
    """Return the pipeline's bucket. Raises Failure, which names the alternative."""
    pipeline = run.named_stack(PIPELINE)
    if not pipeline.exists:
        raise Failure(
            f"The stack {PIPELINE}, whose bucket stores the packages, does not exist: create it, as"
            " docs/deploying.md explains, or name your own bucket with --bucket."
        )
    return pipeline.outputs()["ArtefactBucket"]


def _outputs(run: Run) -> dict[str, str]:
    """Return the outputs of the network's and the database's stack."""
    return {**run.outputs("network"), **run.outputs("database")}


def _template(run: Run, part: str) -> Template:
    return Template.of_stage((HERE / f"{part}.yaml").read_text(), run.stage.name)


def _packaged(run: Run) -> Path:
    out = OUT / run.stage.name
    packaging.build(run.stage, out, run.say)
    return out


def _deployed(run: Run) -> dict[str, dict[str, str]]:
    """Return the resources that `chalice deploy` created from here, by Chalice's names."""
    path = ROOT / ".chalice" / "deployed" / f"{run.stage.name}.json"
    if not path.exists():
        return {}
    resources = json.loads(path.read_text())["resources"]
    return {resource["name"]: resource for resource in resources}


def _address(run: Run) -> str:
    if run.stage.domain:
        return run.stage.domain.url
    deployed = _deployed(run).get("rest_api", {}).get("rest_api_url")
    return deployed or run.outputs("api")["EndpointURL"]


def _refuse_remaining(run: Run) -> None:
    """Raise Failure, before any stack is deleted, if AWS would keep a cluster that needs them."""
    current = f"customers-{run.stage.name}"
    names = [current, *(f"{current}-{suffix}" for suffix in (RESTORED, REPLACED))]
    filters = [{"Name": "db-cluster-id", "Values": names}]
    for cluster in run.session.client("rds").describe_db_clusters(Filters=filters)["DBClusters"]:
        if (name := cluster["DBClusterIdentifier"]) != current:
            raise Failure(
                f"The cluster {name}, which a restore has left, uses the stage's network, so"
                " nothing was deleted: delete it first, as docs/restoring.md, Clean up, shows."
            )
        if cluster["DeletionProtection"]:
            raise Failure(
                f"The cluster {name} is protected, so nothing was deleted: disable its"
                " DeletionProtection in the console first."
            )


USE_ITS_PYTHON = (
    f"Create an environment with Python {PYTHON} (`python{PYTHON} local/bootstrap.py"
    f" requirements-dev.txt .venv/{PYTHON}`), and run `bind` and `chalice deploy` from"
    f" .venv/{PYTHON}/bin."
)


def _refuse_limits(run: Run) -> None:
    """Raise Failure for a limit that an API of `chalice deploy` would not have."""
    if run.stage.limit_by == "caller":
        raise Failure(
            f"{run.stage.name} limits each caller, and `chalice deploy` creates no usage plan: use"
            ' `deploy`, or set limit_by="token" in infrastructure/stages.py.'
        )


def _refuse_other_python() -> None:
    """Raise Failure if `chalice deploy` would create functions that can't use their layers.

    It chooses the runtime by the Python that runs it, and has no setting for it.
    """
    if (running := interpreters.running()) != PYTHON:
        raise Failure(
            f"This is Python {running}, so `chalice deploy` would create functions with"
            f" python{running}, but their layers are for {RUNTIME}. {USE_ITS_PYTHON}"
        )


def _refuse_other_runtime(run: Run) -> None:
    """Raise Failure if `chalice deploy` ran with another Python than the layers'."""
    client = run.session.client("lambda")
    for name in run.stage.lambda_names:
        found = client.get_function_configuration(FunctionName=name)["Runtime"]
        if found != RUNTIME:
            raise Failure(
                f"Lambda runs {name} on {found}, but its layers are for {RUNTIME}. {USE_ITS_PYTHON}"
            )


def _refuse_both(run: Run, *, is_chalice: bool) -> None:
    """Raise Failure if the API was deployed with the other method: both use the same names."""
    name = run.stage.name
    if is_chalice and run.stack("api").exists:
        raise Failure(
            f"{name} is deployed as the stack {run.stage.stack('api')}: continue with `deploy`, or"
            " delete that stack first."
        )
    if not is_chalice and _deployed(run):
        raise Failure(
            f"{name} was created by `chalice deploy`: use that and `apply`, or run `chalice"
            f" delete --stage {name}` first."
        )
