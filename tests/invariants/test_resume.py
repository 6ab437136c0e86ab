"""What is saved, loaded and gone on with: the same bits, or why not."""

from __future__ import annotations

from tests.training.small import checked, kinds


def test_what_is_saved_has_no_history():
    """The state that a recurrent network goes on with is the result of its last step."""

    def make():
        import torch

        class Memory:
            def __init__(self):
                self.value = torch.zeros(1, 3, 4)

            def state_dict(self):
                return {"value": self.value}

            def load_state_dict(self, saved):
                self.value = saved["value"]

        model, memory = torch.nn.GRU(2, 4), Memory()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            optimizer.zero_grad()
            x = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(i))
            x = x.to(memory.value.dtype)
            out, memory.value = model(x, memory.value.detach())
            out.square().mean().backward()
            optimizer.step()

        return model, step, {"memory": memory}

    assert {*kinds(checked(make, only=["training/resume"])).values()} == {"holds"}
