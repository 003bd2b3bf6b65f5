from typing import Any

import pytest
from fastapi.testclient import TestClient

from animals.serving.middleware.slashes import canonical_path
from tests.support.feedback import token
from tests.support.published import plain

PATHS = ["/", "/model", "/healthz", "/readyz", "/docs", "/v2", "/v2/health/live", "/v2/models/animals/versions/r1"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("spelling", ["{}", "{}/", "/{}", "{}//"])
def test_every_spelling_of_a_path_is_answered_without_a_redirect(client: TestClient, path: str, spelling: str) -> None:
    url = f"http://testserver{spelling.format(path)}"
    assert client.get(url, follow_redirects=False).content == client.get(path).content


@pytest.mark.parametrize("path", ["/classify", "/classify/", "//classify//", "/post_data", "/post_data/"])
def test_the_body_of_a_post_is_kept(client: TestClient, path: str) -> None:
    content: dict[str, Any] = {"files": {"file": plain("red")}}
    if "post_data" in path:
        content = {"json": {"x": "red", "prediction_id": token()}}
    response = client.post(f"http://testserver{path}", follow_redirects=False, **content)
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/api/classify", "/api/classify/"])
def test_a_prefix_of_a_proxy_is_kept(path: str) -> None:
    assert canonical_path(path, "/api") == "/api/classify/"
