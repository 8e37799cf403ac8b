// What a viem user does on a local chain; prints JSON. Run by test_node_clients.py: node viem_journey.cjs MODULES URL ARTIFACT
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");

const [, , modules, url, artifactPath] = process.argv;
const load = createRequire(`${modules}/viem/package.json`);
const { createTestClient, http, publicActions, walletActions, parseEther, ContractFunctionRevertedError, BaseError } = load("viem");
const { foundry } = load("viem/chains");
const { mnemonicToAccount } = load("viem/accounts");

const artifact = JSON.parse(readFileSync(artifactPath, "utf8"));
const MNEMONIC = "test test test test test test test test test test test junk";
const account = mnemonicToAccount(MNEMONIC);
const client = createTestClient({ account, chain: foundry, mode: "anvil", transport: http(url), pollingInterval: 50 })
  .extend(publicActions)
  .extend(walletActions);

async function reasonOf(act) {
  try {
    await act();
    return "nothing was refused";
  } catch (error) {
    const reverted = error instanceof BaseError ? error.walk((e) => e instanceof ContractFunctionRevertedError) : null;
    return reverted ? reverted.reason : String(error);
  }
}

async function main() {
  const [owner, receiver] = await client.request({ method: "eth_accounts" });
  const seen = { chainId: await client.getChainId(), owner, balance: String(await client.getBalance({ address: owner })) };
  const code = await client.deployContract({ abi: artifact.abi, bytecode: artifact.bytecode, args: ["peerwatt NGN", "NGN", 6] });
  const address = (await client.waitForTransactionReceipt({ hash: code })).contractAddress;
  const token = { address, abi: artifact.abi };
  const mint = (amount, more = {}) => client.writeContract({ ...token, functionName: "mint", args: [receiver, amount], ...more });
  const read = () => client.readContract({ ...token, functionName: "balanceOf", args: [receiver] }).then(String);

  // Signed here (type 2), signed here as a legacy transaction, and by the node's unlocked account.
  const kinds = [];
  for (const more of [{}, { type: "legacy" }, { account: owner }]) {
    const receipt = await client.waitForTransactionReceipt({ hash: await mint(1000n, more) });
    kinds.push([receipt.status, receipt.type, receipt.logs.length]);
  }
  seen.kinds = kinds;
  seen.minted = await read();
  const events = await client.getContractEvents({ ...token, eventName: "Transfer", fromBlock: 0n });
  seen.events = events.map((event) => String(event.args.value));
  seen.refusedCall = await reasonOf(() => client.simulateContract({ ...token, functionName: "transfer", args: [owner, 5000n], account: receiver }));
  const second = mnemonicToAccount(MNEMONIC, { addressIndex: 1 });
  seen.refusedSend = await reasonOf(() => client.writeContract({ ...token, functionName: "transfer", args: [owner, 5000n], account: second }));
  seen.typed = await client.verifyTypedData({
    address: owner,
    domain: { name: "peerwatt", chainId: 31337 },
    types: { Hello: [{ name: "energy_wh", type: "uint256" }] },
    primaryType: "Hello",
    message: { energy_wh: 7n },
    signature: await client.signTypedData({
      account: owner,
      domain: { name: "peerwatt", chainId: 31337 },
      types: { Hello: [{ name: "energy_wh", type: "uint256" }] },
      primaryType: "Hello",
      message: { energy_wh: 7n },
    }),
  });
  const time = async () => Number((await client.getBlock()).timestamp);
  const snapshot = await client.snapshot();
  const before = await time();
  await client.increaseTime({ seconds: 3600 });
  await client.mine({ blocks: 1 });
  seen.increased = (await time()) - before;
  await client.setNextBlockTimestamp({ timestamp: BigInt(before + 90000) });
  await client.mine({ blocks: 2, interval: 60 });
  seen.set = (await time()) - before;
  await client.setBalance({ address: receiver, value: parseEther("7") });
  seen.setBalance = String(await client.getBalance({ address: receiver }));
  await client.impersonateAccount({ address: token.address });
  await client.setBalance({ address: token.address, value: parseEther("1") });
  const sent = await client.sendTransaction({ account: token.address, to: receiver, value: 5n });
  seen.impersonated = (await client.waitForTransactionReceipt({ hash: sent })).from.toLowerCase() === token.address.toLowerCase();
  await client.stopImpersonatingAccount({ address: token.address });
  await mint(1n);
  seen.mintedAgain = await read();
  await client.revert({ id: snapshot });
  seen.mintedAfterRevert = await read();
  seen.fees = Object.keys(await client.estimateFeesPerGas()).sort();
  seen.history = (await client.getFeeHistory({ blockCount: 2, rewardPercentiles: [50] })).baseFeePerGas.length;
  console.log(JSON.stringify(seen));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
