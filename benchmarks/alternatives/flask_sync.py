"""Flask with SQLAlchemy and PyMySQL, under gunicorn.

https://flask.palletsprojects.com/en/stable/patterns/sqlalchemy/
"""

from uuid import UUID

from flask import Flask, Response, abort, request
from pydantic import ValidationError
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import scoped_session, sessionmaker

from benchmarks.alternatives.models import Customer, NewCustomer, page
from benchmarks.alternatives.shared import DATABASE_URL, LAST, READ, WRITE, Unauthorized, verify
from benchmarks.alternatives.tables import one, row_of, some

app = Flask(__name__)
engine = create_engine(DATABASE_URL.replace("mysql:", "mysql+pymysql:"), pool_pre_ping=True)
session = scoped_session(sessionmaker(engine))


@app.before_request
def verify_token():
    verify(request.headers.get("Authorization"), WRITE if request.method == "POST" else READ)


@app.teardown_appcontext
def remove_session(_error):
    session.remove()


@app.errorhandler(Unauthorized)
def unauthorized(_error):
    return {"error": "invalid token"}, 401, {"WWW-Authenticate": "Bearer"}


@app.get("/customers/<uuid:customer_id>")
def get_customer(customer_id):
    row = session.scalar(one(customer_id))
    if row is None:
        abort(404)
    return respond(Customer.model_validate(row), 200, {"ETag": f'"v{row.version}"'})


@app.get("/customers")
def get_customers():
    limit = request.args.get("limit", 20, int)
    if not 1 <= limit <= 100:
        abort(400)
    after = request.args.get("after", LAST, UUID)
    return respond(page(session.scalars(some(after, limit)).all(), limit), 200)


@app.post("/customers")
def create_customer():
    try:
        row = row_of(NewCustomer.model_validate_json(request.data))
    except ValidationError as error:
        return {"errors": error.errors(include_url=False, include_context=False)}, 400
    session.add(row)
    try:
        session.commit()
    except IntegrityError:
        abort(409)
    return respond(Customer.model_validate(row), 201, {"Location": f"/customers/{row.id}"})


def respond(model, status, headers=None):
    return Response(model.model_dump_json(), status, headers, content_type="application/json")
