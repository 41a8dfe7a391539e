// Calls every operation of the simulator with strong-soap, which knows nothing but the WSDLs. Arguments: the simulator's URL and calls.json.
const fs = require('node:fs');
const { soap } = require('strong-soap');

function find(value, name) {
  if (value === null || typeof value !== 'object') return undefined;
  if (value[name] !== undefined) return value[name];
  for (const item of Object.values(value)) {
    const found = find(item, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

const createClient = (url) =>
  new Promise((resolve, reject) => soap.createClient(url, {}, (error, client) => (error ? reject(error) : resolve(client))));

// strong-soap writes the element of a message itself if its part is called `parameters`, as in the WSDLs of the data contracts.
const message = ({ service, element, arguments: content }) => (service === 'LearnerService' ? { [element]: content } : content);

// The callback gets the fault as an error, and the text of the response beside it.
const invoke = (client, call) =>
  new Promise((resolve) =>
    client[call.operation](message(call), (error, result) =>
      resolve(error ? { fault: `${error.message} ${error.body ?? ''}` } : { result })));

async function main(url, file) {
  const clients = {};
  let failed = 0;
  for (const call of JSON.parse(fs.readFileSync(file, 'utf8'))) {
    clients[call.service] ??= await createClient(`${url}/${call.service}.svc?wsdl`);
    const { result, fault } = await invoke(clients[call.service], call);
    const wrong = Object.entries(call.expect ?? {}).filter(([name, value]) => String(find(result, name)) !== value);
    const isRight = call.fault ? fault?.includes(call.fault) : !fault && wrong.length === 0;
    console.log(isRight ? `  ok     ${call.operation}` : `  FAILED ${call.operation} fault: ${fault}, differs: ${JSON.stringify(wrong)} ${JSON.stringify(result)}`);
    failed += isRight ? 0 : 1;
  }
  process.exit(failed ? 1 : 0);
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
