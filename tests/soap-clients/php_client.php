<?php
// Calls every operation of the simulator with PHP's SoapClient, which knows nothing but the WSDLs. Arguments: the simulator's URL and calls.json.

function find(mixed $value, string $name): mixed
{
    if (!is_array($value)) {
        return null;
    }
    if (isset($value[$name])) {
        return $value[$name];
    }
    foreach ($value as $item) {
        if (($found = find($item, $name)) !== null) {
            return $found;
        }
    }
    return null;
}

[, $url, $file] = $argv;
$clients = [];
$failed = 0;
foreach (json_decode(file_get_contents($file), true, flags: JSON_THROW_ON_ERROR) as $call) {
    ['service' => $service, 'operation' => $operation] = $call;
    $result = $fault = null;
    try {
        $clients[$service] ??= new SoapClient("$url/$service.svc?wsdl", ['cache_wsdl' => WSDL_CACHE_NONE, 'exceptions' => true]);
        $result = json_decode(json_encode($clients[$service]->__soapCall($operation, [$call['arguments']])), true);
    } catch (SoapFault $error) {
        $fault = $error->getMessage();
    }
    $wrong = [];
    foreach ($call['expect'] ?? [] as $name => $value) {
        $found = find($result, $name);
        if ((string) (is_array($found) ? json_encode($found) : $found) !== $value) {
            $wrong[$name] = $found;
        }
    }
    $isRight = isset($call['fault']) ? $fault !== null && str_contains($fault, $call['fault']) : $fault === null && !$wrong;
    echo $isRight ? "  ok     $operation\n" : "  FAILED $operation fault: $fault, differs: " . json_encode($wrong) . "\n";
    $failed += $isRight ? 0 : 1;
}
exit($failed ? 1 : 0);
