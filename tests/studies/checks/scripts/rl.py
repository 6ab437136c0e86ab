"""A policy and a value that learn, by clipped ratios, to go to the middle of a line."""

import torch
from torch import nn
from torch.distributions import Categorical

STEPS, LINES = 16, 32


class Agent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.policy = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 3))
        self.value = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))


def played(agent: Agent) -> tuple[torch.Tensor, ...]:
    """Return observations, actions, their log-probabilities, and discounted rewards."""
    place, speed, found = torch.randn(LINES), torch.zeros(LINES), []
    for _ in range(STEPS):
        seen = torch.stack((place, speed), 1)
        choice = Categorical(logits=agent.policy(seen))
        action = choice.sample()
        speed = 0.9 * speed + 0.1 * (action - 1)
        place = place + speed
        found.append((seen, action, choice.log_prob(action), -place.square()))
    seen, action, before, rewards = (torch.stack(each) for each in zip(*found, strict=True))
    returns, later = [], torch.zeros(LINES)
    for reward in rewards.flip(0):
        later = reward + 0.95 * later
        returns.append(later)
    after = torch.stack(returns).flip(0)
    return seen.flatten(0, 1), action.flatten(), before.flatten(), after.flatten()


def main() -> None:
    torch.manual_seed(0)
    agent = Agent()
    optimizer = torch.optim.Adam(agent.parameters(), 3e-4)
    for _ in range(20):
        with torch.no_grad():
            seen, action, before, returns = played(agent)
        for rows in torch.randperm(len(action)).split(128):
            value = agent.value(seen[rows]).squeeze(1)
            advantage = (returns[rows] - value).detach()
            ratio = (
                Categorical(logits=agent.policy(seen[rows])).log_prob(action[rows]) - before[rows]
            ).exp()
            clipped = ratio.clamp(0.8, 1.2)
            gain = torch.minimum(ratio * advantage, clipped * advantage).mean()
            loss = 0.5 * nn.functional.mse_loss(value, returns[rows]) - gain
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    main()
