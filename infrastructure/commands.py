"""What each command does, in the order of a stage's life."""

import json
from collections.abc import Mapping
from pathlib import Path

from infrastructure import applying, binding, databases, packaging, parameters, releases, smoke
from infrastructure.changes import Template
from infrastructure.failures import Failure
from infrastructure.run import Run
from infrastructure.stages import CONFIG, ROOT, read_config, suggest

HERE = Path(__file__).parent
OUT = ROOT / "out"
PIPELINE = "customers-pipeline"
PARTS = ("network", "database", "api", "operations")


def provision(run: Run) -> None:
    """Make or change the network, the database and the operations.

    Those come before the functions that they watch, whose names are known: a first deployment
    already writes their access log, and has alarms that end its canary.
    """
    client = run.session.client("cloudformation")
    templates = {part: _template(part) for part in ("network", "database", "operations")}
    declared = {part: template.parameters(client) for part, template in templates.items()}
    for name in run.values:
        known = {name for names in declared.values() for name in names}
        if name not in known:
            raise Failure(f"No template has the parameter {name!r}. {suggest(name, known)}")

    def update(part: str, values: Mapping[str, str]) -> None:
        given = {name: value for name, value in run.values.items() if name in declared[part]}
        run.stack(part).update(templates[part], {**values, **given}, run.confirm)

    update("network", parameters.network(run.stage))
    update("database", parameters.database(run.stage, run.outputs("network")))
    update("operations", parameters.operations(run.stage, run.outputs("database")))


def bind(run: Run) -> None:
    """Tell plain `chalice deploy` what it has to know of the stacks."""
    _refuse_both(run, is_chalice=True)
    out, outputs = _packaged(run), run.outputs("database")
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
        f"{CONFIG} has the key that signs cursors now, and only you can read it: don't commit it"
    )


def migrate(run: Run) -> None:
    """Make the database's users and bring its schema up to date."""
    databases.migrate(run.session, run.outputs("database"), run.say)


def package(run: Run) -> None:
    """Build what is deployed."""
    out = _packaged(run)
    for path in sorted(out.iterdir()):
        run.say(f"  {path.stat().st_size / 1e6:6.2f} MB  {path}")


def deploy(run: Run) -> None:
    """Package, upload, and change the API's stack."""
    _refuse_both(run, is_chalice=False)
    bucket = run.bucket or _bucket(run)
    outputs = run.outputs("database"), run.outputs("operations")
    values = {**parameters.api(run.stage, read_config(), *outputs), **run.values}
    out = _packaged(run)
    values["Release"] = releases.release(out, values)
    template = releases.upload(run.session.client("s3"), bucket, out, run.say)
    stack, client = run.stack("api"), run.session.client("lambda")
    before = releases.live_versions(client, run.stage.lambda_names)
    # Who does not agree may have rolled back, and is to stay so
    if stack.update(template, values, run.confirm):
        releases.catch_up(client, stack, run.say)
        releases.remember(client, before)
        run.say(f"{run.stage.name} is at {stack.outputs()['EndpointURL']}")


def apply(run: Run) -> None:
    """Put the gateway document onto what `chalice deploy` made."""
    document = json.loads((_packaged(run) / "gateway.json").read_text())
    api = _deployed(run).get("rest_api", {}).get("rest_api_id")
    if not api:
        raise Failure(
            f"`chalice deploy --stage {run.stage.name}` has made nothing yet in this working copy:"
            " run it first. (A stage made by `deploy` has all of this already.)"
        )
    log = run.outputs("operations")["AccessLogGroupArn"]
    gateway = applying.Gateway(run.session.client("apigateway"), api, run.say)
    applying.apply(gateway, run.stage.name, document, log)


def live(run: Run) -> None:
    """Live a customer's life against the stage."""
    token = run.token()
    address = run.url or _address(run)
    run.say(f"smoke test of {address}")
    smoke.run(address, token, run.say)


def status(run: Run) -> None:
    """Tell how the stacks are, and what is live."""
    for part in PARTS:
        stack = run.stack(part)
        state = stack.status
        run.say(f"{stack.name:32} {state or 'none'}")
        if state and ("ROLLBACK" in state or "FAILED" in state):
            run.say(f"  {stack.reason()}")
    if run.stack("api").status:
        client = run.session.client("lambda")
        for function in run.stage.lambda_names:
            run.say(f"{function}: live is version {releases.live_version(client, function)}")
        run.say(run.outputs("api")["EndpointURL"])
    elif address := _deployed(run).get("rest_api", {}).get("rest_api_url"):
        run.say(f"{address} (by `chalice deploy`)")


def rollback(run: Run) -> None:
    """Make the version before live again."""
    run.outputs("api")  # or it was not deployed this way
    if run.confirm([]):
        client = run.session.client("lambda")
        releases.roll_back(client, run.stack("api"), run.stage.lambda_names, run.say)


def destroy(run: Run) -> None:
    """Delete a stage's stacks; a snapshot of the database stays."""
    if _deployed(run):
        name = run.stage.name
        raise Failure(f"Its API is Chalice's: run `chalice delete --stage {name}` before this.")
    what = f"This deletes the stage {run.stage.name}; a snapshot of its database stays."
    if (run.stage.is_protected or not run.is_agreed) and not run.confirm_by_name(what):
        run.say("nothing was deleted")
        return
    _refuse_protected(run)
    for part in ("operations", "api", "database", "network"):
        run.stack(part).delete()


def _bucket(run: Run) -> str:
    """Return the pipeline's bucket. Raises Failure, which names the other way."""
    pipeline = run.named_stack(PIPELINE)
    if not pipeline.is_made:
        raise Failure(
            f"There is no stack {PIPELINE}, whose bucket packages go to: make it, as"
            " docs/deploying.md says, or name a bucket of yours with --bucket."
        )
    return pipeline.outputs()["ArtefactBucket"]


def _template(part: str) -> Template:
    return Template((HERE / f"{part}.yaml").read_text())


def _packaged(run: Run) -> Path:
    out = OUT / run.stage.name
    packaging.build(run.stage, out)
    return out


def _deployed(run: Run) -> dict[str, dict[str, str]]:
    """Return what `chalice deploy` has made from this working copy, by Chalice's names."""
    path = ROOT / ".chalice" / "deployed" / f"{run.stage.name}.json"
    if not path.exists():
        return {}
    resources = json.loads(path.read_text())["resources"]
    return {resource["name"]: resource for resource in resources}


def _address(run: Run) -> str:
    deployed = _deployed(run).get("rest_api", {}).get("rest_api_url")
    return deployed or run.outputs("api")["EndpointURL"]


def _refuse_protected(run: Run) -> None:
    """Raise Failure where the cluster can't be deleted, before what stands on it is."""
    named = [{"Name": "db-cluster-id", "Values": [f"customers-{run.stage.name}"]}]
    for cluster in run.session.client("rds").describe_db_clusters(Filters=named)["DBClusters"]:
        if cluster["DeletionProtection"]:
            raise Failure(
                f"The cluster {cluster['DBClusterIdentifier']} is protected, so nothing was"
                " deleted: switch its DeletionProtection off in the console first."
            )


def _refuse_both(run: Run, *, is_chalice: bool) -> None:
    """Raise Failure where the stage's API was made the other way: two would share its names."""
    name = run.stage.name
    if is_chalice and run.stack("api").is_made:
        raise Failure(
            f"{name} is deployed as the stack {run.stage.stack('api')}: go on with `deploy`, or"
            " delete that stack first."
        )
    if not is_chalice and _deployed(run):
        raise Failure(
            f"{name} was made by `chalice deploy`: go on with that and `apply`, or run `chalice"
            f" delete --stage {name}` first."
        )
