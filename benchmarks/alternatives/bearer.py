"""FastAPI's dependencies that verify tokens.

https://fastapi.tiangolo.com/tutorial/security/oauth2-jwt/
"""

from typing import Annotated

from fastapi import Depends, HTTPException, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from benchmarks.alternatives.shared import READ, WRITE, Unauthorized, verify

Credentials = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


async def verify_token(scopes: SecurityScopes, credentials: Credentials):
    try:
        verify(credentials.credentials, scopes.scopes[0])
    except Unauthorized:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from None


Reader = Security(verify_token, scopes=[READ])
Writer = Security(verify_token, scopes=[WRITE])
