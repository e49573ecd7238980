"""Is YOUR PyTorch meta-gradient second-order? Three of them, under the autopsy.

    python -m pip install -e . torch
    python tests/benchmarks/torch_autopsy.py

The bridge: theta -> to_layers -> tensors -> PyTorch's gradients -> from_layers -> one vector. Put
your own loop where `torch_maml` is; one that ignores `minibatch` is right as long as it is None.
"""

import sys
import warnings

import numpy as np
import torch
from torch.func import functional_call
from torch.nn.functional import mse_loss

from tinymeta import MLP, SineTasks
from tinymeta.extras import autopsy
from tinymeta.extras.weights import from_layers, to_layers

# PyTorch's network and the model that computes the same.
torch.manual_seed(0)
net = torch.nn.Sequential(
    torch.nn.Linear(1, 40), torch.nn.Tanh(),
    torch.nn.Linear(40, 40), torch.nn.Tanh(),
    torch.nn.Linear(40, 1),
)  # fmt: skip
model = MLP([1, 40, 40, 1], "tanh")
linears = [part for part in net if isinstance(part, torch.nn.Linear)]
layers = [(linear.weight.detach(), linear.bias.detach()) for linear in linears]
theta = from_layers(model, layers)

x = np.linspace(-5, 5, 100, dtype=np.float32)[:, None]
gap = abs(net(torch.from_numpy(x)).detach().numpy() - model.predict(theta, x)).max()
print(f"outputs of PyTorch and of model.predict ({theta.dtype}): apart by {gap:.1e} at most\n")
failed = not gap < 1e-6


def params_of(model, theta):
    """Return theta as {"0.weight": tensor, "0.bias": tensor, ...}, tensors that require grad."""
    parts = [part for pair in to_layers(model, theta) for part in pair]
    names = [name for name, _ in net.named_parameters()]
    return {name: torch.from_numpy(part).requires_grad_() for name, part in zip(names, parts)}


def vector_of(model, grads):
    """Return the gradients [of a weight, of a bias, of a weight, ...] as one vector (P,)."""
    return from_layers(model, list(zip(grads[::2], grads[1::2])))


def torch_maml(model, theta, batch, inner_lr, inner_steps, minibatch, create_graph=True):
    """Return the loss and meta-gradient of MAML; first-order MAML without create_graph."""
    params, loss = params_of(model, theta), 0
    for x_s, y_s, x_q, y_q in zip(*map(torch.from_numpy, batch)):
        fast = params
        for _ in range(inner_steps):
            support_loss = mse_loss(functional_call(net, fast, x_s), y_s)
            grads = torch.autograd.grad(support_loss, fast.values(), create_graph=create_graph)
            fast = {name: p - inner_lr * g for (name, p), g in zip(fast.items(), grads)}
        loss = loss + mse_loss(functional_call(net, fast, x_q), y_q) / len(batch.x_query)
    return loss.item(), vector_of(model, torch.autograd.grad(loss, params.values()))


def torch_first_order(*arguments):
    return torch_maml(*arguments, create_graph=False)


def torch_leaked(model, theta, batch, inner_lr, inner_steps, minibatch):
    """Return MAML's of one step as many write it: both calls of backward() add to the same .grad,
    which an optimizer then takes for the meta-gradient."""
    losses, vectors = [], []
    for x_s, y_s, x_q, y_q in zip(*map(torch.from_numpy, batch)):
        params = params_of(model, theta)
        mse_loss(functional_call(net, params, x_s), y_s).backward(create_graph=True)
        fast = {name: p - inner_lr * p.grad for name, p in params.items()}
        loss = mse_loss(functional_call(net, fast, x_q), y_q)
        loss.backward()
        losses.append(loss.item())
        vectors.append(vector_of(model, [p.grad.detach() for p in params.values()]))
    return np.mean(losses), np.mean(vectors, axis=0)


# PyTorch warns of the memory that backward(create_graph=True) holds: not the point here.
warnings.filterwarnings("ignore", message="Using backward.. with create_graph=True")
batch = SineTasks().sample(np.random.default_rng(0), n_tasks=4, shots=10)
for meta_grad, inner_steps, verdict in [
    (torch_maml, 2, "yes: this is MAML, second order included"),
    (torch_first_order, 2, "no: this is first-order MAML"),
    (torch_leaked, 1, "no: this is MAML with the support gradient leaked in"),
]:
    findings = autopsy.examine(meta_grad, model, theta, batch, 0.01, inner_steps)
    print(f"{meta_grad.__name__}, {inner_steps} inner step{'s' * (inner_steps > 1)}\n{findings}\n")
    failed |= findings.verdict != verdict
sys.exit("not as said above" if failed else 0)
