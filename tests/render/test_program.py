import numpy as np
import pytest

from artem_vr import assets
from artem_vr.errors import GraphicsError
from artem_vr.render import gl
from artem_vr.render.program import Program, shader_text

pytestmark = [pytest.mark.graphics, pytest.mark.display]

VERTEX = "#version 330 core\nuniform mat4 m; uniform float f; uniform vec3 v; uniform int i;\n"
VERTEX += "void main() { gl_Position = m * vec4(v * f, float(i)); }\n"
FRAGMENT = "#version 330 core\nout vec4 c;\nvoid main() { c = vec4(1.0); }\n"


@pytest.fixture
def shaders(tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "folder", lambda name: tmp_path)
    (tmp_path / "a.vert").write_text(VERTEX)
    (tmp_path / "a.frag").write_text(FRAGMENT)
    return tmp_path


def test_uniforms(context, shaders):
    program = Program("a.vert", "a.frag")
    program.use()
    matrix = np.arange(16, dtype=np.float32).reshape(4, 4)
    for name, value, expected in (
        ("f", 0.5, 0.5),
        ("i", 3, 3),
        ("v", (1.0, 2.0, 3.0), [1, 2, 3]),
        ("m", matrix, matrix.T.ravel()),  # OpenGL answers in columns
        ("m", matrix + 1, (matrix + 1).T.ravel()),
    ):
        program.set(name, value)
        answer = np.zeros(16, np.float32)
        gl.glGetUniformfv(program.id, gl.glGetUniformLocation(program.id, name), answer)
        assert np.array_equal(answer[: np.size(expected)], np.ravel(expected))
    program.set("no_such_uniform", 1.0)
    gl.glUseProgram(0)
    program.release()


def test_a_value_is_sent_once(context, shaders, monkeypatch):
    program = Program("a.vert", "a.frag")
    program.use()
    sent = []
    monkeypatch.setattr(gl, "glUniform1f", lambda _location, value: sent.append(value), raising=False)
    for value in (0.5, 0.5, 0.25, 0.25):
        program.set("f", value)
    assert sent == [0.5, 0.25]
    program.release()


def test_defines_reach_the_fragment_shader_alone(context, shaders):
    (shaders / "a.frag").write_text(FRAGMENT.replace("void", "#ifndef RED\nnonsense\n#endif\nvoid"))
    (shaders / "a.vert").write_text(VERTEX.replace("void", "#ifdef RED\nnonsense\n#endif\nvoid"))
    Program("a.vert", "a.frag", ("RED",)).release()


def test_includes(shaders):
    (shaders / "b.glsl").write_text("float two() { return 2.0; }\n")
    (shaders / "b.frag").write_text('#version 330 core\n#include "b.glsl"\nvoid main() {}\n')
    assert shader_text("b.frag") == "#version 330 core\nfloat two() { return 2.0; }\n\nvoid main() {}\n"


def test_a_shader_that_does_not_compile_names_its_file(context, shaders):
    (shaders / "a.frag").write_text("#version 330 core\nvoid main() { nonsense }\n")
    with pytest.raises(GraphicsError, match=r"shader a\.frag does not compile: .*(nonsense|syntax)") as error:
        Program("a.vert", "a.frag")
    assert "\n" not in str(error.value)


def test_a_program_that_does_not_link_names_its_files(context, shaders):
    (shaders / "a.vert").write_text("#version 330 core\nout vec2 x;\nvoid main() { x = gl_Position.xy = vec2(0); }\n")
    (shaders / "a.frag").write_text("#version 330 core\nin vec4 x; out vec4 c;\nvoid main() { c = x; }\n")
    with pytest.raises(GraphicsError, match=r"shaders a\.vert and a\.frag do not link"):
        Program("a.vert", "a.frag")


@pytest.mark.parametrize("shader", sorted(path.name for path in assets.folder("shaders").glob("*.*")))
def test_each_shader_says_what_it_is_for(shader):
    assert "//" in "".join((assets.folder("shaders") / shader).read_text().splitlines()[:2])
