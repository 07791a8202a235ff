"""Create ten customers at once, then list them.

BASE_URL=http://127.0.0.1:8000 TOKEN=$(make -s token) python examples/client/parallel.py
"""

import asyncio
import os
import uuid

from customers_client import AsyncCustomers, Conflict, CustomerCreation


async def create(client: AsyncCustomers, company: str, number: int) -> None:
    email = f"{number}.{company}@example.com"
    try:
        await client.create(CustomerCreation(email=email, company_name=company))
    except Conflict as error:  # another customer has the email address
        print(error.errors[0].pointer, error.request_id)


async def main() -> None:
    async with AsyncCustomers(os.environ["BASE_URL"], os.environ["TOKEN"]) as client:
        company = uuid.uuid4().hex
        async with asyncio.TaskGroup() as tasks:
            for number in range(10):
                tasks.create_task(create(client, company, number))
        print(len([customer async for customer in client.list(q=company)]))


asyncio.run(main())
